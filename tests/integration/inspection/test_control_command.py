"""`groundswell control` against a broker, and the readers who go by it."""

from __future__ import annotations

import json
import os
import re
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaProducer
from typer.testing import CliRunner

from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.embedded_broker import EmbeddedBroker, free_port
from groundswell import Action
from groundswell.chunks import split
from groundswell.client import EventLog, Policies
from groundswell.client.decisions import Decision, decide
from groundswell.controls import Canary, how_to_write, side_of
from groundswell.policy import Policy, encode
from groundswell.signatures import Verifier, new_key_pair
from streams.inspection.control_command import control
from tests.factories import impression
from tests.integration.workers import PATIENCE, until, with_topics
from tests.unit.groundswell.test_newest_snapshot import snapshot

ACTIONS = [Action("a"), Action("b"), Action("c")]
PEOPLE = [{"user": f"user-{number}"} for number in range(40)]


@pytest.fixture
def servers(broker: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker)
    return with_topics(broker)


def told(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(control, arguments)
    assert result.exit_code == status, result.output
    return " ".join(result.output.split())


def set_mode(mode: str, *more: str, status: int = 0) -> str:
    return told("set", "feed", "--mode", mode, "--by", "ann", "--why", "a test", *more, status=status)


def publish(servers: str, version: int, weights: int = 3) -> None:
    with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
        for key, value in split(b"feed", encode(snapshot(version, weights=weights)), 0)[0]:
            producer.send("policies", key=key, value=value)
        producer.flush()


def seen(policies: Policies, version: int) -> None:
    until(lambda: policies.control is not None and policies.control.version == version, f"control {version}")


def test_each_mode_is_set_shown_and_seen_by_readers(servers: str) -> None:
    publish(servers, 100)
    with Policies(servers, "feed") as policies:
        until(lambda: policies.policy.version == 100, "the policy")
        assert told("show", "feed") == "feed: no control, the newest policy decides"
        set_mode("log-only")
        seen(policies, 1)
        assert policies.decide({}, ACTIONS, own="b").basis == "own"
        assert "feed: frozen, version 100 (control 2, 0 ms ago by ann: a test)" in set_mode("frozen")
        seen(policies, 2)
        publish(servers, 200)
        until(lambda: policies.policy.version == 200, "the newer policy")
        frozen = policies.decide({}, ACTIONS, own="b")
        assert (frozen.policy_version, frozen.basis, frozen.mode) == (100, "pinned", "frozen")
        set_mode("canary", "--percent", "5", "--feature", "user", "--version", "100")
        assert "canary, 20 % of user, for the rest the app's own rule" in set_mode("canary", "--percent", "20")
        seen(policies, 4)
        assert {policies.decide(one, ACTIONS, own="b").basis for one in PEOPLE} == {"policy", "own"}
        set_mode("online")
        seen(policies, 5)
        assert policies.decide({}, ACTIONS, own="b").policy_version == 200
    lines = CliRunner().invoke(control, ["show", "feed", "--history"]).output.splitlines()
    assert lines[1] == "5 controls so far"
    assert [line.split("control ")[1][0] for line in lines[2:]] == ["5", "4", "3", "2", "1"]
    assert all("by ann: a test" in line for line in lines[2:])
    shown = json.loads(CliRunner().invoke(control, ["show", "feed", "--json"]).output)
    assert (shown["control"]["mode"], shown["control"]["version"]) == ("online", 5)


def test_what_cannot_be_set_is_told_and_changes_nothing(servers: str) -> None:
    assert "no policy has been published yet" in set_mode("frozen", status=2)
    publish(servers, 100)
    for mode, more, said in [
        ("offline", [], "must be one of log-only, apprentice, canary, online, frozen"),
        ("canary", [], "a canary needs --percent, and --feature"),
        ("canary", ["--percent", "5"], "a canary needs --percent, and --feature"),
        ("canary", ["--percent", "101", "--feature", "user"], "less than or equal to 100"),
        ("canary", ["--percent", "-5", "--feature", "user"], "greater than or equal to 0"),
        ("online", ["--why", " "], "--why is empty"),
        ("online", ["--percent", "5"], "are a canary's: leave them out in the mode online"),
        ("online", ["--version", "100"], "is a frozen model's or a canary's"),
        ("frozen", ["--version", "50"], "of that version nothing is left on the topic"),
    ]:
        assert said in set_mode(mode, *more, status=2), mode
    assert told("show", "feed", "--history").endswith("0 controls so far")


def test_a_control_of_a_model_without_a_policy_says_so_where_others_have_one(servers: str) -> None:
    assert "is that its name?" not in set_mode("log-only"), "a new model begins so"
    publish(servers, 100)
    asked = told("set", "fed", "--mode", "apprentice", "--by", "ann", "--why", "a test")
    assert "no policy of 'fed' has been published, but of feed: is that its name?" in asked


def test_a_model_of_which_nothing_is_known_is_told_those_that_there_are(servers: str, tmp_path: Path) -> None:
    asked = told("show", "feed", status=2)
    assert "'feed' there is neither a control nor a policy, nor of any other model: name the file" in asked
    publish(servers, 100)
    told("set", "shop", "--mode", "log-only", "--by", "ann", "--why", "a test")
    assert told("show", "feed") == "feed: no control, the newest policy decides"
    assert "nor a policy, but of feed, shop: did you mean 'feed'?" in told("show", "fed", status=2)
    assert "nor a policy, but of feed, shop: name the file" in told("show", "nope", status=2)
    config = tmp_path / "groundswell.toml"
    config.write_text('[models.news]\ndefinitely_negative = ["dislike"]\n')
    assert "no model 'nwes' is configured; there are news: did you mean 'news'?" in told(
        "show", "nwes", "--config", str(config), status=2
    )
    assert told("show", "news", "--config", str(config)) == "news: no control, the newest policy decides"


def test_a_canary_by_a_feature_that_nobody_has_is_said_when_it_is_set_and_shown(servers: str) -> None:
    publish(servers, 100)
    by_user = ("--percent", "50", "--feature", "user")
    assert "no impressions of 'feed' are there yet" in set_mode("canary", *by_user)
    with EventLog(servers) as log:
        for one in PEOPLE:
            log.shown(decide("feed", Policy.uniform(), "uniform", one, ACTIONS))
    inside = sum(side_of("feed", Canary("user", 50), one) == "canary" for one in PEOPLE)
    said = f"of the last 40 impressions {inside / 40:.1%} are in the canary"
    assert said in set_mode("canary", *by_user)
    assert told("show", "feed").endswith(said)
    nobody = "of the last 40 impressions none has the feature 'usr', by which the canary of 'feed' tells people apart"
    for asked in (set_mode("canary", "--percent", "50", "--feature", "usr"), told("show", "feed")):
        assert f"{nobody} (did you mean 'user'?): all are the rest. Set the control anew" in asked
    sides = json.loads(CliRunner().invoke(control, ["show", "feed", "--json"]).output)["canary"]
    assert sides == {"impressions": 40, "told_apart": 0, "in_canary": 0, "names": ["user"]}


def test_an_older_policy_may_be_pinned_again_as_long_as_something_is_left_of_it(servers: str) -> None:
    for version in (100, 200, 300):
        publish(servers, version, weights=60_000 if version == 100 else 3)
    set_mode("frozen", "--version", "100")
    set_mode("online")
    with Policies(servers, "feed") as policies:
        for number, version in enumerate((100, 200, 100), start=3):
            set_mode("frozen", "--version", str(version))
            seen(policies, number)
            assert policies.decide({}, ACTIONS).policy_version == version


def test_the_options_that_readers_name_for_one_written_by_hand_are_those_that_there_are(servers: str) -> None:
    name, *options = re.findall(r"feed|--[a-z]+", how_to_write("feed"))
    given = {"--mode": "canary", "--why": "a test", "--percent": "5", "--feature": "user"}
    assert set(options) == given.keys()
    told("set", name, *(word for option in options for word in (option, given[option])), "--by", "ann")


def test_with_keys_only_a_signed_control_is_gone_by(
    servers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    private_key, public_key = new_key_pair()
    (tmp_path / "public").write_bytes(public_key)
    monkeypatch.setenv("GROUNDSWELL_SIGNATURES__PUBLIC_KEY_FILES", json.dumps([str(tmp_path / "public")]))
    assert "would not be believed" in set_mode("log-only", status=2)
    with Policies(servers, "feed", verifier=Verifier(public_key)) as policies:
        monkeypatch.delenv("GROUNDSWELL_SIGNATURES__PUBLIC_KEY_FILES")
        set_mode("log-only")  # by somebody without the key
        monkeypatch.setenv("GROUNDSWELL_SIGNATURES__PUBLIC_KEY_FILES", json.dumps([str(tmp_path / "public")]))
        monkeypatch.setenv("GROUNDSWELL_SIGNATURES__PRIVATE_KEY", private_key.decode())
        set_mode("apprentice")
        until(lambda: policies.control is not None, "a control")
        assert policies.decide({}, ACTIONS).mode == "apprentice"
    assert told("show", "feed", "--history").count("by ann") == 2  # the one in force, twice


def test_where_there_is_no_topic_of_controls_apps_go_by_the_newest_policy_until_there_is_one(broker: str) -> None:
    with_topics(broker)
    with closing(KafkaAdminClient(bootstrap_servers=broker)) as admin:
        admin.delete_topics(["controls"])
        until(lambda: "controls" not in admin.list_topics(), "the topic to be gone")
        publish(broker, 100)
        with Policies(broker, "feed") as policies:
            until(lambda: policies.decide({}, ACTIONS).policy_version == 100, "the policy")
            assert "controls" not in admin.list_topics()  # asking for it has not made it
            with_topics(broker)
            os.environ["KAFKA_BOOTSTRAP_SERVERS"] = broker
            try:
                set_mode("log-only")
            finally:
                del os.environ["KAFKA_BOOTSTRAP_SERVERS"]
            until(lambda: policies.control is not None, "the control")
            assert policies.decide({}, ACTIONS).policy_version is None


def test_an_app_that_starts_while_kafka_is_away_goes_by_the_control_that_was_kept(servers: str, tmp_path: Path) -> None:
    publish(servers, 100)
    set_mode("frozen")
    publish(servers, 200)
    kept = tmp_path / "kept.json"
    with Policies(servers, "feed", keep=kept) as policies:
        until(lambda: policies.policy.version == 200 and policies.control, "policy and control")
    with Policies(f"127.0.0.1:{free_port()}", "feed", keep=kept) as alone:
        found = alone.decide({}, ACTIONS)
        assert (found.policy_version, found.basis, found.mode) == (100, "pinned", "frozen")
        assert alone.policy.version == 200


def test_the_snapshot_that_a_control_names_may_be_missing_and_then_no_policy_decides(servers: str) -> None:
    publish(servers, 100)
    set_mode("frozen")
    with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
        producer.send("controls", key=b"feed\0pinned", value=encode(snapshot(50)), partition=0)
        producer.flush()
    with Policies(servers, "feed") as policies:
        until(lambda: policies.following.problem, "it to be told")
        assert "names version 100, which is not beside it" in (policies.following.problem or "")
        found = policies.decide({}, ACTIONS)
        assert (found.policy_version, found.basis, found.mode) == (None, "uniform", "frozen")


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=[pytest.mark.kafka, pytest.mark.timeout(400)])])
def mortal(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Callable[[], None]]]:
    """Yield the address of a broker with the topics, and what kills it and starts it again."""
    broker: EmbeddedBroker | ApacheKafka
    if request.param == "kafka":
        broker = kafka = ApacheKafka(tmp_path / "kafka")

        def die() -> None:
            kafka.node().kill()
            kafka.start()
    else:
        broker = embedded = EmbeddedBroker(tmp_path / "broker")

        def die() -> None:
            embedded.stop()
            embedded.__enter__()

    with broker:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", broker.bootstrap_servers)
        yield with_topics(broker.bootstrap_servers), die


def test_under_load_nobody_changes_sides_and_nothing_is_decided_by_what_never_was(
    mortal: tuple[str, Callable[[], None]],
) -> None:
    """Apps decide all the time while policies come, a canary grows, the broker dies and apps start anew."""
    (servers, die), stop = mortal, threading.Event()
    by_app: dict[int, list[Decision]] = {number: [] for number in (1, 2, 3)}

    def app(number: int) -> None:
        while not stop.is_set():
            with Policies(servers, "feed", request_timeout_ms=1_000) as policies:
                for turn in range(2_000):
                    decision = policies.decide(PEOPLE[turn % len(PEOPLE)], ACTIONS, own=[0.2, 0.3, 0.5])
                    by_app[number].append(decision)
                    if stop.wait(0.001 * number):
                        return

    def all_do(what: Callable[[Decision], bool]) -> bool:
        """Say whether each app has lately decided so for everybody."""
        newest = [made[-len(PEOPLE) :] for made in by_app.values()]
        return all(len(made) == len(PEOPLE) and all(map(what, made)) for made in newest)

    published = {100 * number for number in range(1, 7)}
    publish(servers, 100)
    set_mode("canary", "--percent", "0", "--feature", "user", "--version", "100")
    with ExitStack() as stack:
        for number in by_app:
            thread = threading.Thread(target=app, args=(number,))
            thread.start()
            stack.callback(thread.join)
        stack.callback(stop.set)
        for number, percent in enumerate((5, 20, 40, 60, 100), start=2):
            publish(servers, 100 * number)
            set_mode("canary", "--percent", str(percent), "--version", "100")
            until(lambda: all_do(lambda one: one.side is not None), "every app to know of the canary")
            if number % 2:
                die()
        until(lambda: all_do(lambda one: one.side == "canary"), "everybody to be in the canary")
    for made in by_app.values():
        sides = defaultdict(list)
        for one in made:
            decided_by = {None: {"own"}, "rest": {"pinned"}, "canary": {"policy", "last_known", "own"}}
            assert one.basis in decided_by[one.side]
            assert one.policy_version in ({None} if one.basis == "own" else {100} if one.side == "rest" else published)
            if one.side is not None:
                sides[one.context["user"]].append(one.side)
        assert len(sides) == len(PEOPLE)
        for of_one in sides.values():
            assert of_one == sorted(of_one, reverse=True), "somebody went back"


def test_apprentices_are_reported_on(servers: str) -> None:
    publish(servers, 100)
    set_mode("apprentice")
    assert "none of the last interactions was decided in the mode apprentice" in told("show", "feed")
    with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
        for number in range(3):
            shown = {**impression(f"i{number}"), "mode": "apprentice"}
            interaction = {"schema_version": 1, "impression": shown, "feedback": [], "signals": ["none"]}
            producer.send("interactions", key=b"feed", value=json.dumps(interaction).encode(), partition=0)
        producer.flush()
    assert "of the last 3 interactions policy version 100 ranks" in told("show", "feed")
    with Policies(servers, "feed") as policies:
        until(lambda: policies.policy.version == 100 and policies.control, "policy and control")
        agreed = [policies.decide(one, ACTIONS, own=[0.5, 0.25, 0.25]).agreed for one in PEOPLE]
        assert policies.matches.decisions == len(PEOPLE)
        assert policies.matches.matched == pytest.approx(sum(one or 0.0 for one in agreed))


def test_a_change_is_seen_within_a_second(servers: str) -> None:
    publish(servers, 100)
    with Policies(servers, "feed") as policies:
        assert policies.wait(PATIENCE)
        delays = []
        for number in range(1, 6):
            set_mode("log-only" if number % 2 else "online")
            written = time.monotonic()
            seen(policies, number)
            delays.append(time.monotonic() - written)
    # Of several, since a busy machine may hold one up.
    assert min(delays) < 1.0
