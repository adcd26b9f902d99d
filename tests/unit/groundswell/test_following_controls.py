"""In which order policies and controls are taken in: nobody acts by what must not act, however records come."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import pytest
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError, KafkaTimeoutError

from groundswell import Action
from groundswell.client import Policies, kept_snapshot, policies
from groundswell.client.canary_watch import ENOUGH
from groundswell.controls import Canary, Control, Side, encode, pinned_key
from groundswell.policy import encode as encode_policy
from tests.unit.groundswell.test_newest_snapshot import snapshot

ACTIONS = [Action("a"), Action("b")]
PATIENCE = 60.0


class Record(NamedTuple):
    topic: str
    key: bytes
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()


class Scripted:
    """A consumer of two topics whose records come when the test lets them."""

    DEFAULT_CONFIG = KafkaConsumer.DEFAULT_CONFIG
    ends: ClassVar[dict[str, int]]
    coming: ClassVar[queue.Queue[list[Record]]]

    def __init__(self, **_: Any) -> None:
        self._read = dict.fromkeys(self.ends, 0)

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return {0} if topic in self.ends else None

    def assign(self, places: list[TopicPartition]) -> None: ...

    def seek_to_beginning(self, *places: TopicPartition) -> None: ...

    def end_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
        return {one: self.ends[one.topic] for one in places}

    def position(self, place: TopicPartition) -> int:
        return self._read[place.topic]

    def poll(self, timeout_ms: int) -> dict[str, list[Record]]:
        try:
            records = self.coming.get(timeout=0.01)
        except queue.Empty:
            return {}
        for one in records:
            self._read[one.topic] += 1
        self.coming.task_done()
        return {"": records}

    def close(self) -> None: ...


def control(version: int, mode: Any, policy_version: int | None = None, canary: Canary | None = None) -> Record:
    made = Control(
        schema_version=1,
        model="feed",
        version=version,
        mode=mode,
        by="ann",
        at=5,
        why="so",
        policy_version=policy_version,
        canary=canary,
    )
    return Record("controls", b"feed", encode(made))


def published(version: int) -> Record:
    return Record("policies", b"feed", encode_policy(snapshot(version)))


def pinned(version: int) -> Record:
    return Record("controls", pinned_key("feed"), encode_policy(snapshot(version)))


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> type[Scripted]:
    monkeypatch.setattr(Scripted, "coming", queue.Queue(), raising=False)
    monkeypatch.setattr(Scripted, "ends", {"policies": 1, "controls": 3}, raising=False)
    monkeypatch.setattr(policies, "KafkaConsumer", Scripted)
    return Scripted


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def test_no_policy_decides_before_the_controls_have_been_read_to_their_end(scripted: type[Scripted]) -> None:
    with Policies("localhost:9092", "feed") as following:
        for records in ([published(200)], [control(1, "online")], [pinned(100)], []):
            scripted.coming.put(records)
            until(lambda: scripted.coming.unfinished_tasks == 0)
            found = following.decide({}, ACTIONS, own="b")
            assert (found.mode, found.basis, found.policy_version) == (None, "own", None)
        scripted.coming.put([control(2, "frozen", 100)])
        until(lambda: following.decide({}, ACTIONS).mode is not None)
        found = following.decide({}, ACTIONS)
        assert (found.mode, found.basis, found.policy_version) == ("frozen", "pinned", 100)


def test_the_snapshot_of_a_control_to_come_does_not_take_the_place_of_the_one_in_force(
    scripted: type[Scripted],
) -> None:
    with Policies("localhost:9092", "feed") as following:
        scripted.coming.put([published(300), pinned(100), pinned(100), control(1, "frozen", 100)])
        until(lambda: following.wait(PATIENCE))
        seen = set()
        for records in ([pinned(200)], [], [control(2, "frozen", 200)]):
            scripted.coming.put(records)
            until(lambda: scripted.coming.unfinished_tasks == 0)
            seen.add(following.decide({}, ACTIONS).policy_version)
        until(lambda: following.decide({}, ACTIONS).policy_version == 200)
        assert seen <= {100, 200}


@pytest.mark.parametrize(
    ("control_kept", "mode", "version"),
    [(None, "online", 200), (control(1, "log-only").value, "log-only", None), (b"{", None, None)],
)
def test_where_a_control_is_kept_that_cannot_be_used_no_policy_decides_before_the_topic_is_read(
    scripted: type[Scripted], tmp_path: Path, control_kept: bytes | None, mode: str | None, version: int | None
) -> None:
    (tmp_path / "kept.json").write_bytes(published(200).value)
    if control_kept is not None:
        (tmp_path / "kept.json.control").write_bytes(control_kept)
    with Policies("localhost:9092", "feed", keep=tmp_path / "kept.json") as following:
        found = following.decide({}, ACTIONS)
        assert (following.mode, found.mode, found.policy_version) == (mode, mode, version)


@pytest.mark.parametrize("written", [0, 1, 2, 3])
def test_killed_while_it_keeps_what_came_first_it_leaves_nothing_by_which_the_wrong_policy_decides(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: int
) -> None:
    class KilledError(Exception):
        pass

    put, left, killed = kept_snapshot._put, iter(range(written)), threading.Event()

    def puts(path: Path, content: bytes, what: str) -> bool:
        if next(left, None) is None:
            killed.set()
            raise KilledError
        return put(path, content, what)

    keep = tmp_path / "kept.json"
    with monkeypatch.context() as patch, Policies("localhost:9092", "feed", keep=keep) as following:
        patch.setattr(kept_snapshot, "_put", puts)
        scripted.coming.put([published(200), pinned(100), pinned(100), control(1, "frozen", 100)])
        until(lambda: killed.is_set() or following.decide({}, ACTIONS).policy_version == 100)
        assert killed.is_set() == (written < 3)
    assert len(list(tmp_path.iterdir())) == written
    with Policies("localhost:9092", "feed", keep=keep) as again:
        assert again.decide({}, ACTIONS).policy_version in {None, 100}


def test_what_decides_has_been_kept_before_so_that_who_is_killed_goes_back_to_no_older_control(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    put, while_put = kept_snapshot._put, []

    def puts(path: Path, content: bytes, what: str) -> bool:
        done = put(path, content, what)
        while_put.append((path.name, following.decide({}, ACTIONS).policy_version))
        return done

    monkeypatch.setattr(kept_snapshot, "_put", puts)
    with Policies("localhost:9092", "feed", keep=tmp_path / "kept.json") as following:
        scripted.coming.put([published(200), pinned(100), pinned(100), control(1, "frozen", 100)])
        until(lambda: following.decide({}, ACTIONS).policy_version == 100)
        scripted.coming.put([control(2, "log-only")])
        until(lambda: following.mode == "log-only")
    first = [("kept.json.pinned", None), ("kept.json.control", None), ("kept.json", None)]
    assert while_put == [*first, ("kept.json.control", 100)]


def test_a_policy_is_kept_once_its_control_can_be(scripted: type[Scripted], tmp_path: Path) -> None:
    keep, in_the_way = tmp_path / "kept.json", tmp_path / "kept.json.control"
    in_the_way.mkdir()
    with Policies("localhost:9092", "feed", keep=keep) as following:
        scripted.coming.put([published(200), pinned(100), pinned(100), control(1, "log-only")])
        assert following.wait(PATIENCE)
        assert not keep.exists()
        in_the_way.rmdir()
        scripted.coming.put([control(2, "log-only")])
        until(keep.exists)
    assert in_the_way.is_file()


def test_controls_that_are_read_anew_after_a_failure_are_not_told_to_be_old_ones(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    fails = threading.Event()

    class Failing(Scripted):
        def poll(self, timeout_ms: int) -> dict[str, list[Record]]:
            if fails.is_set():
                fails.clear()
                raise KafkaError("away")
            return super().poll(timeout_ms)

    monkeypatch.setattr(policies, "KafkaConsumer", Failing)
    there = [published(200), pinned(100), control(1, "frozen", 100), control(2, "log-only")]
    with Policies("localhost:9092", "feed") as following:
        scripted.coming.put(there)
        until(lambda: following.mode == "log-only" and following.following.up_to_date)
        fails.set()
        until(lambda: not following.following.up_to_date)
        assert following.mode == "log-only"
        scripted.coming.put(there)
        until(lambda: following.following.up_to_date)
        assert following.mode == "log-only"
    assert [one.getMessage() for one in caplog.records if "passed over" in one.getMessage()] == []


@pytest.mark.parametrize("last", [150, 300])
def test_a_policy_that_was_kept_decides_until_the_topic_is_read_to_its_end(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, last: int
) -> None:
    keep = tmp_path / "kept.json"
    keep.write_bytes(published(200).value)
    monkeypatch.setattr(scripted, "ends", {"policies": 3, "controls": 1})
    with Policies("localhost:9092", "feed", keep=keep) as following:
        for records in ([control(1, "online")], [published(50)], [published(100)], []):
            scripted.coming.put(records)
            until(lambda: scripted.coming.unfinished_tasks == 0)
            assert following.decide({}, ACTIONS).policy_version == 200
            assert keep.read_bytes() == published(200).value
        # In the end it is what lies there: another, where the topic was made anew.
        scripted.coming.put([published(last)])
        until(lambda: following.decide({}, ACTIONS).policy_version == last)
        until(lambda: keep.read_bytes() == published(last).value)


def test_where_there_is_no_topic_of_controls_the_newest_policy_decides(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted, "ends", {"policies": 1})
    with Policies("localhost:9092", "feed") as following:
        scripted.coming.put([published(200)])
        until(lambda: following.decide({}, ACTIONS).policy_version == 200)
        assert following.decide({}, ACTIONS).mode == "online"


def test_a_topic_that_goes_while_it_is_read_is_said_with_what_to_do_and_decisions_go_on(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(scripted, "ends", {"policies": 1})
    monkeypatch.setattr(policies, "ASK_SECONDS", 0.0)
    with Policies("localhost:9092", "feed") as following:
        scripted.coming.put([published(200)])
        until(lambda: following.basis == "policy")
        monkeypatch.setattr(scripted, "ends", {})
        until(lambda: not following.following.up_to_date)
        assert "there is no such topic" in str(following.following.problem)
        assert "`groundswell topics create` makes it; where Kafka was started on other data" in caplog.text
        found = following.decide({}, ACTIONS)
        assert (found.basis, found.policy_version) == ("last_known", 200)
        monkeypatch.setattr(scripted, "ends", {"policies": 1})
        scripted.coming.put([published(300)])
        until(lambda: following.basis == "policy")


def test_a_broker_that_does_not_say_where_the_topic_ends_is_asked_for_so_long_and_no_longer(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    class Silent(Scripted):
        def end_offsets(self, places: list[TopicPartition], timeout_ms: int) -> dict[TopicPartition, int]:
            asked.append(timeout_ms)
            raise KafkaTimeoutError("Failed to get offsets")

    monkeypatch.setattr(policies, "KafkaConsumer", Silent)
    with Policies("localhost:9092", "feed") as following:
        until(lambda: following.following.problem is not None)
        assert "no broker has said within 10 s where it ends; trying again" in str(following.following.problem)
    assert set(asked) == {10_000}


@pytest.mark.parametrize("slots", [False, True])
def test_a_canary_that_is_nobodys_is_said_once_in_words(
    scripted: type[Scripted], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, slots: bool
) -> None:
    monkeypatch.setattr(scripted, "ends", {"policies": 1, "controls": 1})
    with Policies("localhost:9092", "feed") as following:

        def side_of(user: str) -> Side | None:
            context = {"user": user}
            made = following.decide_slots(context, ACTIONS, ["top"]) if slots else [following.decide(context, ACTIONS)]
            return made[0].side

        scripted.coming.put([published(200), control(1, "canary", canary=Canary("usr", 50))])
        assert following.wait(PATIENCE)
        for _ in range(3 * ENOUGH):
            assert side_of("ann") == "rest"
        until(lambda: following.following.problem is not None)
        for _ in range(3 * ENOUGH):
            side_of("bob")
        scripted.coming.put([control(2, "canary", canary=Canary("user", 50))])
        until(lambda: following.following.problem is None)
    told = [one.getMessage() for one in caplog.records if "canary" in one.getMessage()]
    assert told == [
        f"of the last {ENOUGH} decisions none has the feature 'usr', by which the canary of 'feed' tells people apart "
        "(did you mean 'user'?): all are the rest. Set the control anew with another --feature (`groundswell control "
        "set`), or give contexts this one"
    ]
