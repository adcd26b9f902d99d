"""What is taken over of topics that were made again, without a broker."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from processors.learners.ledger import Ledger
from processors.wire.envelopes import decode_interaction
from state import learner_checkpoints
from state.learner_checkpoints import Checkpoint, Stored
from streams.worker.topic_adoption import Adopted, Adoption, ChangelogSegments, Known, KnownTopics
from tests.unit.stand_ins import RememberingWriter, worker_settings
from tests.unit.worker.test_partition_join import CLOSES, T0, Joined, answer, closed, end_of, shown

SETTINGS = worker_settings()
CHANGELOG = "groundswell-pending-changelog"


@pytest.mark.parametrize(
    ("known", "found", "end", "why"),
    [
        (Known(5, "a"), "a", 5, None),
        (Known(5, ""), "a", 9, None),
        (Known(5, "a"), "", 9, None),
        (Known(5, "a"), "b", 9, "made again"),
        (Known(0, "a"), "b", 0, "made again"),
        (Known(5, "a"), "a", 4, "ends at 4 and was read up to 5"),
        (Known(5, ""), "", 4, "ends at 4 and was read up to 5"),
    ],
    ids=["same", "not known before", "not known now", "longer", "empty", "cut", "cut, without ids"],
)
def test_whether_a_log_is_the_one_that_is_known(known: Known, found: str, end: int, why: str | None) -> None:
    said = known.differs(found, end)
    assert said is None if why is None else why in (said or "")


class GrowingLogs:
    """Logs on which more lies each time that they are asked."""

    end = 0

    def bounds(self, topic: str, partitions: int) -> dict[int, tuple[int, int]]:
        self.end += 10
        return dict.fromkeys(range(partitions), (0, self.end))

    def describe_topics(self, topics: list[str]) -> list[Any]:
        return []


def test_a_log_that_a_worker_reads_meanwhile_is_the_one_that_is_known() -> None:
    logs: Any = GrowingLogs()
    known = KnownTopics(SETTINGS, logs, logs)
    read_up_to = logs.bounds("impressions", 1)[0][1]
    assert known.differs("impressions", 0, Known(read_up_to, "x")) is None
    assert "ends at" in (known.differs("impressions", 0, Known(1_000, "x")) or "")


class Topics(KnownTopics):
    """The topics of a worker on stand-ins: one partition of events that was read, and one checkpoint."""

    def __init__(self, joined: Joined, checkpoint: Checkpoint | None = None, end: int = 1_000) -> None:
        topics = SETTINGS.topics
        self._settings, self._joined, self._checkpoint = SETTINGS, joined, checkpoint
        self.ids = {topics.impressions: "x", topics.feedback: "y", topics.interactions: "z"} | joined.ids
        self._end = end

    def end(self, topic: str, partition: int) -> int:
        return self._end

    def changelog(self, partition: int, writer: Any = None) -> ChangelogSegments:
        newest = {json.dumps(key).encode(): value for key, value in self._joined.changelog.items()}
        for one in self._joined.log.of(CHANGELOG):
            newest[one.key or b""] = one.value or b""
        return ChangelogSegments(CHANGELOG, newest, writer)

    def checkpoint(self, partition: int) -> Stored | None:
        return None if self._checkpoint is None or partition else Stored(self._checkpoint, 0, 0)


def adopted(joined: Joined, topics: Topics, *, check: bool = False) -> list[Adopted]:
    """Take over what has changed, and let the next worker find it."""
    done = asyncio.run(Adoption(SETTINGS, topics, None if check else RememberingWriter(joined.log)).run())
    for one in joined.log.of(CHANGELOG):
        partition, window, writer, number = json.loads(one.key or b"")
        joined.changelog[partition, window, writer, number] = one.value or b""
    return done


@pytest.fixture
def joined() -> Joined:
    """A join with one impression that was learned and two that wait, of which one has feedback."""
    joined = Joined()
    joined.ids = {"impressions": "x", "feedback": "y"}
    joined.restart()
    closed(joined, "old", 0, 0, T0)
    joined.shows(shown(2, "waits", T0 + 2_000), shown(3, "answered", T0 + 2_000))
    joined.answers(answer(2, "answered", T0 + 2_010), answer(3, "nobody", T0 + 2_010))
    return joined


def test_where_nothing_has_changed_nothing_is_done(joined: Joined) -> None:
    before = list(joined.log.written)
    assert adopted(joined, Topics(joined)) == []
    assert joined.log.written == before


def test_to_check_says_what_would_be_done_and_writes_nothing(joined: Joined) -> None:
    joined.ids["impressions"] = "new"
    before = list(joined.log.written)
    (found,) = adopted(joined, Topics(joined), check=True)
    assert found.set_aside == 2
    assert "2 impressions that waited: to dead-letter" in found.in_words()
    assert joined.log.written == before


def test_impressions_that_were_made_again_are_read_from_their_beginning_under_their_new_id(joined: Joined) -> None:
    joined.ids["impressions"] = "new"
    (found,) = adopted(joined, Topics(joined))
    assert (found.topic, found.partition, found.set_aside) == ("impressions", 0, 2)
    dead = joined.log.of("dead-letter")
    assert [one.key for one in dead] == [b"waits", b"answered"]
    assert {one.headers["reason"] for one in dead} == {b"topic_made_again"}
    assert joined.log.of("late-feedback") == [], "feedback is still there, and is read again"
    assert adopted(joined, Topics(joined)) == []
    joined.restart()
    assert (joined.join.impressions.offset, joined.join.feedback.offset) == (0, 0)
    assert closed(joined, "new", 0, 0, T0 + 5_000) == "new"
    assert "waits" not in dict(joined.interactions())


def test_feedback_that_was_made_again_is_read_from_its_beginning_and_impressions_from_where_they_were(
    joined: Joined,
) -> None:
    joined.ids["feedback"] = "new"
    (found,) = adopted(joined, Topics(joined))
    assert (found.topic, found.set_aside) == ("feedback", 2)
    assert {one.key for one in joined.log.of("late-feedback")} == {b"answered", b"nobody"}
    joined.restart()
    assert (joined.join.impressions.offset, joined.join.feedback.offset) == (4, 0)
    assert closed(joined, "next", 4, 0, T0 + 5_000) == "x"


def test_a_log_that_was_cut_has_other_places_though_its_id_is_the_same(joined: Joined) -> None:
    found = adopted(joined, Topics(joined, end=1))
    assert {one.topic for one in found} == {"impressions", "feedback"}
    joined.restart()
    source = closed(joined, "new", 0, 0, T0 + 5_000)
    assert source.startswith("x/")
    ledger = Ledger()
    assert ledger.admit_all([source_of(joined, 0), source_of(joined, -1)]) == [True, True]


def source_of(joined: Joined, number: int) -> Any:
    return decode_interaction(joined.log.of("interactions")[number].value or b"").source


def test_interactions_that_were_made_again_are_read_and_written_from_the_beginning(joined: Joined) -> None:
    checkpoint = Checkpoint(7, Ledger().state(), {}, {}, interactions_topic="before")
    (found,) = adopted(joined, Topics(joined, checkpoint))
    assert (found.topic, found.set_aside) == ("interactions", 0)
    (record,) = joined.log.of("checkpoints")
    anew = learner_checkpoints.decode(record.value or b"")
    assert (anew.offset, anew.interactions_topic, anew.ledger) == (0, "z", checkpoint.ledger)
    joined.restart()
    assert (joined.join.impressions.offset, joined.join.feedback.offset) == (0, 0)
    joined.shows(shown(0, "old", T0), end_of("impressions", 1, CLOSES))
    joined.answers(answer(0, "old", T0 + 10), end_of("feedback", 1, CLOSES))
    assert source_of(joined, 0) == source_of(joined, -1), "what was learned is known by its place"
