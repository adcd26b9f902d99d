"""What a worker says of Kafka, of its partitions and of the traffic, without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec
import pytest
from aiokafka.errors import KafkaConnectionError
from structlog.testing import capture_logs

from processors.admission.event_records import Refusal
from processors.join.entries import ObservedFeedback, Outcome, Stray
from streams.app import create_app
from streams.kafka.topic_watch import SeenTopic
from streams.kafka.topics import topic_layouts
from streams.worker.refusal_looks import SILENCE_SECONDS
from streams.worker.worker_app import Groundswell
from streams.worker.worker_conditions import AWAY_SECONDS, ENOUGH, QUIET_SECONDS, UNKNOWN_SECONDS, ConditionLooks
from tests.unit.http.test_live_page import served
from tests.unit.stand_ins import Time, worker_settings

SETTINGS = worker_settings()
LAYOUTS = topic_layouts(SETTINGS.kafka, SETTINGS.topics)
ALL = {one.name: SeenTopic(f"id of {one.name}", one.partitions) for one in LAYOUTS}


class Broker:
    """What a broker answers: the topics, or an error."""

    def __init__(self) -> None:
        self.topics: Mapping[str, SeenTopic] | None = ALL

    async def look(self) -> Mapping[str, SeenTopic]:
        if self.topics is None:
            raise KafkaConnectionError("refused")
        return self.topics


class Looking:
    """A worker that holds partitions, its clock and its broker."""

    def __init__(self) -> None:
        self.app: Groundswell = create_app(SETTINGS)
        self.app.partitions.joins[0] = None  # type: ignore[assignment]  # only its place is asked for
        self.clock, self.broker = Time(), Broker()
        self.looks = ConditionLooks(self.app, self.clock)
        self.looks._watch = self.broker  # type: ignore[assignment]  # it answers as one does

    def for_seconds(self, seconds: float) -> list[str]:
        """Let time pass, asking and looking once a second; return what stands at the end."""
        for _ in range(round(seconds)):
            self.clock.now += 1
            asyncio.run(self.looks.ask())
            self.looks.look()
        return [one.name for one in self.app.conditions.standing()]


@pytest.fixture
def looking() -> Looking:
    return Looking()


def test_kafka_that_does_not_answer_is_said_within_ten_seconds_and_again_when_it_is_back(looking: Looking) -> None:
    assert looking.for_seconds(2) == []
    looking.broker.topics = None
    assert "kafka_away" not in looking.for_seconds(AWAY_SECONDS - 1)
    assert "kafka_away" in looking.for_seconds(2)
    (away,) = [one for one in looking.app.conditions.standing() if one.name == "kafka_away"]
    assert away.since == 1000 * (50_000 + 2), "since it answered last"
    assert "has not answered since 1970-01-01 13:53:22 UTC" in away.says
    status, _, body = served(looking.app, "/readyz")
    assert (status, body.decode()) == (503, f"{away.says}\n")
    looking.broker.topics = ALL
    assert "kafka_away" not in looking.for_seconds(1)


def test_the_time_before_the_start_in_which_nobody_was_asked_counts_for_nothing(looking: Looking) -> None:
    looking.clock.now += 60
    looking.looks.begin()
    looking.looks.look()
    assert looking.app.conditions.standing() == []


@pytest.mark.parametrize(
    ("gone", "begins", "remedy"),
    [
        (["feedback"], "the topic feedback no longer exists at 127.0.0.1:9092. ", "makes it, empty;"),
        (["feedback", "rewards"], "the topics feedback, rewards no longer exist at ", "makes them, empty;"),
    ],
)
def test_topics_that_are_gone_are_named_with_what_to_do_in_log_and_readyz(
    looking: Looking, gone: list[str], begins: str, remedy: str
) -> None:
    looking.broker.topics = {name: seen for name, seen in ALL.items() if name not in gone}
    with capture_logs() as logs:
        assert looking.for_seconds(2) == ["topic_missing"]
    (told,) = [one["event"] for one in logs if one["log_level"] == "warning"]
    status, _, body = served(looking.app, "/readyz")
    assert (status, body.decode()) == (503, f"{told}\n")
    assert told.startswith(begins)
    assert f"`groundswell topics create` {remedy} where Kafka was started on other data" in told
    looking.broker.topics = ALL
    assert looking.for_seconds(1) == []


def test_quiet_since_is_a_note_that_leaves_it_ready(looking: Looking) -> None:
    looking.app.metrics.received.labels("impressions").inc()
    assert looking.for_seconds(1) == []
    assert looking.for_seconds(QUIET_SECONDS) == ["quiet"]
    status, _, body = served(looking.app, "/readyz")
    assert (status, body) == (200, b"ready; quiet since 1970-01-01 13:53:21 UTC\n")
    looking.app.metrics.received.labels("feedback").inc()
    assert looking.for_seconds(1) == []


def test_what_the_learner_reads_of_its_own_is_no_traffic(looking: Looking) -> None:
    looking.for_seconds(QUIET_SECONDS - 1)
    looking.app.metrics.received.labels("interactions").inc()
    assert looking.for_seconds(1) == ["quiet"]


def test_partitions_that_are_being_restored_are_said(looking: Looking) -> None:
    looking.app.seeking = True
    assert looking.for_seconds(1) == ["restoring"]
    looking.app.seeking = False
    assert looking.for_seconds(1) == []


def test_the_page_has_them_and_leads_to_what_to_do() -> None:
    app = create_app(SETTINGS)
    status, _, body = served(app, "/live.json")
    (stands,) = msgspec.json.decode(body)["conditions"]
    assert status == 200
    assert {name: stands[name] for name in ("name", "says", "runbook", "grave", "subject")} == {
        "name": "restoring", "says": "holds no partition", "runbook": "runbook#restoring", "grave": False,
        "subject": "",
    }  # fmt: skip
    status, headers, body = served(create_app(SETTINGS), "/runbook")
    assert (status, headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    assert b'<section id="restoring">' in body
    assert b"<code>groundswell topics create</code>" in body


def test_feedback_that_never_finds_its_impression_is_said_until_most_does(looking: Looking) -> None:
    join = looking.app.metrics.join
    looking.app.metrics.received.labels("impressions").inc()
    looking.for_seconds(1)
    join.labels("none").inc(ENOUGH)
    join.labels("orphan").inc(ENOUGH - 1)
    assert looking.for_seconds(1) == []
    join.labels("misplaced_orphan").inc()
    assert looking.for_seconds(1) == ["feedback_not_joined"]
    (stands,) = looking.app.conditions.standing()
    assert "100 impressions closed without feedback, and 100 of 100 pieces of feedback found no" in stands.says
    join.labels("feedback_matched").inc(ENOUGH - 1)
    assert looking.for_seconds(1) == ["feedback_not_joined"]
    join.labels("feedback_matched").inc()
    assert looking.for_seconds(1) == []


@pytest.mark.parametrize("outcome", ["orphan", "misplaced_orphan", "late", "too_early"])
def test_feedback_of_one_app_of_several_that_finds_no_impression_is_said(looking: Looking, outcome: str) -> None:
    join = looking.app.metrics.join
    for astray, stands in ((40, []), (60, ["feedback_not_joined"]), (20, [])):
        for _ in range(50):  # what was long ago does not count for ever
            looking.app.metrics.received.labels("feedback").inc()
            join.labels("none").inc(100)
            join.labels("matched").inc(100 - astray)
            join.labels("feedback_matched").inc(100 - astray)
            join.labels(outcome).inc(astray)
            found = looking.for_seconds(1)
        assert found == stands


def test_no_feedback_at_all_is_no_fault_of_the_join(looking: Looking) -> None:
    looking.for_seconds(1)
    looking.app.metrics.join.labels("none").inc(10 * ENOUGH)
    assert looking.for_seconds(1) == []


def test_a_model_that_the_configuration_lacks_is_said_with_those_that_there_are(looking: Looking) -> None:
    looking.app.metrics.dead_letters.labels("impressions", "unknown_model").inc(3)
    looking.app.metrics.dead_letters.labels("impressions", "schema").inc(3)
    assert looking.for_seconds(1) == ["unknown_model"]
    (stands,) = looking.app.conditions.standing()
    assert stands.says.startswith("3 impressions had to be refused: no such model is configured (there is feed)")
    looking.clock.now += UNKNOWN_SECONDS
    assert "unknown_model" not in looking.for_seconds(1)


def test_local_time_that_was_written_for_utc_is_said_and_named_where_feedback_does_not_join(looking: Looking) -> None:
    gaps, wait = looking.app.clock_gaps, 1000 * SETTINGS.join.wait
    looking.for_seconds(1)
    for number in range(ENOUGH):
        feedback = ObservedFeedback(f"f{number}", "i", 0, "click", number, b"")
        gaps.stray(Stray(feedback, Outcome.LATE, round(5 * 3_600_000 + 100 * number - wait)))
    assert looking.for_seconds(1) == ["local_time"]
    says = looking.app.conditions.standing()[0].says
    assert says.startswith("the event times of impressions are about 5 h behind, as local time is that was written for")
    looking.app.metrics.received.labels("impressions").inc()
    looking.app.metrics.join.labels("none").inc(ENOUGH)
    looking.app.metrics.join.labels("late").inc(ENOUGH)
    looking.for_seconds(1)
    joined = {one.name: one.says for one in looking.app.conditions.standing()}["feedback_not_joined"]
    assert joined.endswith(f"found no impression: {says}")


ALONE = "had to be refused: no such model is configured (there is feed)"


@pytest.mark.parametrize(
    ("held", "refused", "says"),
    [
        (SETTINGS.topics.event_partitions, {"impressions": 3}, f"3 impressions {ALONE}"),
        (
            1,
            {"impressions": 3},
            f"3 impressions {ALONE}. Other workers of the group groundswell hold the other partitions: all need the "
            "same [models]",
        ),
        (
            SETTINGS.topics.event_partitions,
            {"interactions": 1},
            f"1 interaction {ALONE}, and another worker of the group groundswell has it, or had: all need the same "
            "[models]",
        ),
        (
            1,
            {"impressions": 2, "interactions": 1},
            f"2 impressions and 1 interaction {ALONE}, and another worker of the group groundswell has it, or had: all "
            "need the same [models]",
        ),
    ],
)
def test_workers_of_one_group_that_have_other_models_are_told_that_all_need_the_same(
    looking: Looking, held: int, refused: dict[str, int], says: str
) -> None:
    for partition in range(held):
        looking.app.partitions.joins[partition] = None  # type: ignore[assignment]  # as above
    for topic, number in refused.items():
        looking.app.metrics.dead_letters.labels(topic, "unknown_model").inc(number)
    looking.for_seconds(1)
    assert [one.says for one in looking.app.conditions.standing() if one.name == "unknown_model"] == [says]


class Traffic:
    """What comes on the topics of a worker, and what is refused of it."""

    def __init__(self, looking: Looking) -> None:
        self._app, self._looking = looking.app, looking
        self._offset = 0

    def comes(self, topic: str, good: int = 0, **refused: int) -> str | None:
        """Let so many messages come; return what is then said of this topic, if anything."""
        self._app.metrics.received.labels(topic).inc(good + sum(refused.values()))
        for reason, number in refused.items():
            for _ in range(number):
                self._offset += 1
                self._app.refusals.refused(topic, 0, self._offset, b"i", Refusal(reason, f"{reason} it is"))
            self._app.metrics.dead_letters.labels(topic, reason).inc(number)
        self._looking.for_seconds(1)
        standing = self._app.conditions.standing()
        return next((one.says for one in standing if (one.name, one.subject) == ("mostly_refused", topic)), None)


@pytest.fixture
def traffic(looking: Looking) -> Traffic:
    looking.for_seconds(1)
    return Traffic(looking)


@pytest.mark.parametrize(
    ("good", "refused", "stands"),
    [
        (0, {"schema": 1}, False),  # one wrong message is one wrong message
        (0, {"schema": 2}, False),
        (0, {"schema": 3}, True),
        (0, {"schema": 2, "not_json": 1}, True),
        (3, {"schema": 3}, False),
        (20, {"schema": 21}, True),
        (100_000, {"schema": 40_000}, False),
        (40_000, {"schema": 100_000}, True),
        (0, {"unknown_model": 100}, False),  # which has a condition of its own
    ],
)
@pytest.mark.parametrize("topic", ["impressions", "feedback"])
def test_most_of_a_topic_being_refused_is_said_and_a_few_wrong_messages_are_not(
    traffic: Traffic, topic: str, good: int, refused: dict[str, int], *, stands: bool
) -> None:
    assert (traffic.comes(topic, good, **refused) is not None) == stands


def test_what_is_refused_is_told_once_with_reason_example_and_the_command_that_shows_it(
    traffic: Traffic, looking: Looking
) -> None:
    with capture_logs() as logs:
        says = traffic.comes("impressions", schema=2, not_json=5)
        traffic.comes("impressions", not_json=5)
    assert says == (
        "100% of what comes on impressions is refused, mostly for not_json (not_json it is; impressions[0]@7): see "
        "`groundswell dead-letters --reason not_json`"
    )
    told = [one["event"] for one in logs if one.get("condition") == "mostly_refused"]
    assert told == [says]
    looking.for_seconds(QUIET_SECONDS)
    status, _, body = served(looking.app, "/readyz")
    assert status == 200
    assert b"% of what comes on impressions is refused" in body


def test_where_only_feedback_is_refused_it_is_said_that_impressions_pass_for_unanswered(
    traffic: Traffic, looking: Looking
) -> None:
    assert traffic.comes("impressions", good=100) is None
    says = traffic.comes("feedback", good=2, schema=98)
    assert says is not None
    assert says.startswith("98% of what comes on feedback is refused, so that impressions pass for unanswered")
    assert [one.subject for one in looking.app.conditions.standing()] == ["feedback"]


def test_it_ends_when_the_app_is_mended_or_stops(traffic: Traffic, looking: Looking) -> None:
    assert traffic.comes("impressions", schema=1000) is not None
    assert traffic.comes("impressions", good=150) is None, "most of the last hundred or so are good"
    assert traffic.comes("feedback", schema=10) is not None
    looking.clock.now += SILENCE_SECONDS
    assert traffic.comes("feedback") is None
    assert traffic.comes("feedback", schema=1) is not None, "it goes on as it was"


def test_impressions_that_are_all_late_count_as_what_they_are_when_it_shows(traffic: Traffic) -> None:
    assert traffic.comes("impressions", good=50) is None
    assert traffic.comes("impressions", late_impression=60) is not None


@pytest.mark.parametrize(
    ("topic", "came", "outcome", "repeated", "stands"),
    [
        ("impressions", 30, "conflicting_impression", 20, True),  # pages of three items under one id
        ("impressions", 1000, "conflicting_impression", 60, True),
        ("impressions", 1000, "conflicting_impression", 40, False),
        ("impressions", 4, "conflicting_impression", 2, False),  # stray ones
        ("impressions", 1000, "duplicate_impression", 400, False),  # retries are nothing wrong
        ("impressions", 1000, "duplicate_impression", 900, True),
        ("feedback", 1000, "duplicate_feedback", 100, False),
        ("feedback", 1000, "duplicate_feedback", 500, True),
    ],
)
def test_ids_that_are_used_more_than_once_are_said_and_retries_are_not(
    looking: Looking, topic: str, came: int, outcome: str, repeated: int, *, stands: bool
) -> None:
    looking.for_seconds(1)
    looking.app.metrics.received.labels(topic).inc(came)
    looking.app.metrics.join.labels(outcome).inc(repeated)
    looking.for_seconds(1)
    found = [(one.name, one.subject) for one in looking.app.conditions.standing()]
    assert found == [("id_reused", topic)] * stands


def test_ids_of_their_own_end_it_and_so_does_an_app_that_stops(looking: Looking) -> None:
    metrics = looking.app.metrics

    def comes(good: int, conflicting: int = 0) -> list[str]:
        metrics.received.labels("impressions").inc(good + conflicting)
        metrics.join.labels("conflicting_impression").inc(conflicting)
        return looking.for_seconds(1)

    assert comes(1000, 2000) == ["id_reused"]
    says = looking.app.conditions.standing()[0].says
    assert says.startswith("67% of the impressions bear the impression_id of another that still waits")
    for _ in range(5):
        found = comes(1000)
    assert found == []
    assert comes(1000, 2000) == ["id_reused"]
    looking.clock.now += SILENCE_SECONDS
    assert "id_reused" not in looking.for_seconds(1)
