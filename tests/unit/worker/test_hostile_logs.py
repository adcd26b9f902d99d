"""What one producer may do to the time of a log: nothing by what is refused or old, and little by a wrong clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.wire.log_records import UnreadRecords
from tests.factories import encode, feedback, impression
from tests.unit.stand_ins import record
from tests.unit.worker.test_partition_join import T0, Joined, answer, shown

Another = Callable[[str, int], ConsumerRecord]
"""Returns a record of a topic, at an offset."""
BOTH = ("impressions", "feedback")
STAMPED = 2**41


def message(topic: str, name: str, **changes: object) -> bytes:
    return encode({**(impression if topic == "impressions" else feedback)(name, T0), **changes})


def sent(key: bytes | None, value: bytes | None) -> Another:
    return lambda topic, offset: record(topic, offset, key, value)


def spoilt(**changes: object) -> Another:
    return lambda topic, offset: record(topic, offset, b"x", message(topic, "x", **changes))


class Unread(UnreadRecords):
    """A batch that was passed over, as one record of a topic."""

    topic, partition = "impressions", 0


def unread(topic: str, offset: int) -> Any:
    stands = Unread(offset, offset, STAMPED, "too much", True)
    stands.topic = topic
    return stands


REFUSED: dict[str, Another] = {
    "tombstone": sent(b"a", None),
    "tombstone without a key": sent(None, None),
    "empty": sent(b"a", b""),
    "not_json": sent(b"x", b"junk"),
    "not_json, not unicode": sent(b"x", b"\xff\xfe"),
    "schema": spoilt(occurred_at="now"),
    "seconds": spoilt(occurred_at=1_795_310_400),
    "from_the_future": spoilt(occurred_at=STAMPED + 61_000),
    "key": lambda topic, offset: record(topic, offset, b"another", message(topic, "x")),
    "too_large": sent(b"x", b"x" * 700_000),
    "no key": lambda topic, offset: record(topic, offset, None, message(topic, "x")),
    "a watermark from the future": sent(None, encode({"schema_version": 1, "watermark": STAMPED + 61_000})),
}
OF_IMPRESSIONS: dict[str, Another] = {
    "unknown_model": spoilt(model="nobody's"),
    "bad_propensity": spoilt(probabilities=None, propensity=0),
    "no_propensity": spoilt(probabilities=None),
    "bad_weight": spoilt(weight=0),
    "duplicate_actions": spoilt(actions=[{"id": "a"}] * 3),
    "chosen_out_of_range": spoilt(chosen=3),
    "bad_probabilities": spoilt(probabilities=[1, 1, 1]),
    "too_many_features": spoilt(
        context={f"f{n}": 1 for n in range(1_000)}, actions=[{"id": str(n)} for n in range(2_500)],
        probabilities=None, propensity=0.5,
    ),
}  # fmt: skip
OLD: dict[str, Another] = {
    "old": lambda topic, offset: record(topic, offset, b"old", message(topic, "old", occurred_at=T0 - 5)),
    "late": lambda topic, offset: record(topic, offset, b"late", message(topic, "late", occurred_at=T0 - 90_000)),
    "a repetition": lambda topic, offset: shown(offset, "a") if topic == "impressions" else answer(offset, "a", T0),
    "a watermark of the past": sent(None, encode({"schema_version": 1, "watermark": T0 - 1_000})),
}


def closes_after(another: Another | None, topic: str, *, restarts: bool = False) -> tuple[int, Joined]:
    """Return after how many seconds an impression closes, while another record comes each second, and the join."""
    joined = Joined(wait=15)
    joined.wall = T0 / 1000
    joined.shows(shown(0, "a"))
    joined.answers(answer(0, "a", T0))
    for now in range(40):
        joined.lives_on(1)
        if found := [one for one in joined.interactions() if one[0] == "a"]:
            assert found == [("a", ["click"])]
            return now, joined
        if another is not None:
            (joined.shows if topic == "impressions" else joined.answers)(another(topic, 1 + now))
        if restarts and now == 8:
            joined.restart()
    raise AssertionError("it never closes")


QUIET = {restarts: closes_after(None, "feedback", restarts=restarts)[0] for restarts in (False, True)}


@pytest.mark.parametrize("topic", BOTH)
@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("name", [*REFUSED, *OF_IMPRESSIONS, *OLD])
def test_one_record_a_second_that_moves_no_time_holds_up_no_quiet_log(name: str, topic: str, *, restarts: bool) -> None:
    if topic == "feedback" and name in OF_IMPRESSIONS:
        return  # feedback says nothing of it
    after, joined = closes_after((REFUSED | OF_IMPRESSIONS | OLD)[name], topic, restarts=restarts)
    assert after == QUIET[restarts]
    if name not in OLD:
        assert len(joined.log.of("dead-letter")) == after


@pytest.mark.parametrize("topic", BOTH)
def test_batches_that_were_passed_over_hold_up_no_quiet_log(topic: str) -> None:
    after, joined = closes_after(unread, topic)
    assert after == QUIET[False]
    assert {one.headers["reason"] for one in joined.log.of("dead-letter")} == {b"too_large"}


@settings(max_examples=60)
@given(
    topic=st.sampled_from(BOTH),
    ahead=st.lists(st.integers(1, 200_000), min_size=1, max_size=10),
    every=st.integers(1, 8),
)
def test_clocks_that_are_ahead_make_nothing_late_that_others_log(topic: str, ahead: list[int], every: int) -> None:
    """Within `max_ahead` (50 ms here) such a record counts, beyond it is refused: the log moves no further for it."""
    joined, honest = Joined(wait=0.05), 24
    offsets = dict.fromkeys(BOTH, 0)

    def logs(on: str, at: int, key: str, by: int = 0) -> None:
        one = shown(offsets[on], key, at + by) if on == "impressions" else answer(offsets[on], key, at + by)
        (joined.shows if on == "impressions" else joined.answers)(replace(one, timestamp=at))
        offsets[on] += 1

    for number in range(honest):
        at = T0 + 5 * number
        if number % every == 0:
            logs(topic, at, f"ahead{number}", ahead[number % len(ahead)])
        logs("impressions", at, f"i{number}")
        logs("feedback", at + 4, f"i{number}")
    for on in BOTH:
        logs(on, T0 + 10_000, "end")
    found = dict(joined.interactions())
    assert {name: found.get(name) for name in found if name.startswith("i")} == {
        f"i{n}": ["click"] for n in range(honest)
    }
