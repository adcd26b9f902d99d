"""Messages of the past in the order of their event time, and at their pace."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell.events import Action, Feedback, Impression
from streams.replay.event_time_pace import Pace, in_event_time


def impression(number: int, occurred_at: int) -> Impression:
    return Impression(
        schema_version=1,
        impression_id=str(number),
        occurred_at=occurred_at,
        model="m",
        context={},
        actions=[Action("a")],
        chosen=0,
        propensity=1.0,
    )


def feedback(number: int, index: int, occurred_at: int) -> Feedback:
    return Feedback(
        schema_version=1,
        impression_id=str(number),
        feedback_id=f"{number}/{index}",
        occurred_at=occurred_at,
        signal="s",
    )


@given(st.lists(st.tuples(st.integers(0, 50), st.lists(st.integers(0, 30), max_size=4)), max_size=40))
def test_messages_interleave_by_time_and_none_is_lost(rows: list[tuple[int, list[int]]]) -> None:
    rows = sorted(rows, key=lambda r: r[0])
    interpreted = [
        (impression(n, at), [feedback(n, i, at + delay) for i, delay in enumerate(delays)])
        for n, (at, delays) in enumerate(rows)
    ]
    messages = list(in_event_time(interpreted))
    times = [message.occurred_at for message in messages]
    assert times == sorted(times)
    assert len(messages) == sum(1 + len(signals) for _, signals in interpreted)
    shown: set[str] = set()
    answered: set[str] = set()
    for message in messages:
        if isinstance(message, Impression):
            shown.add(message.impression_id)
        else:
            assert message.impression_id in shown
            answered.add(message.feedback_id)
    assert len(shown) == len(rows)
    assert answered == {f.feedback_id for _, signals in interpreted for f in signals}


@given(
    st.lists(st.tuples(st.integers(0, 50), st.lists(st.integers(-20, 30), max_size=4)), max_size=40),
    st.integers(20, 40),
)
def test_feedback_that_came_before_its_impression_keeps_its_own_time(
    rows: list[tuple[int, list[int]]], backward: int
) -> None:
    interpreted = [
        (impression(n, at), [feedback(n, i, at + delay) for i, delay in enumerate(delays)])
        for n, (at, delays) in enumerate(sorted(rows, key=lambda r: r[0]))
    ]
    messages = list(in_event_time(interpreted, backward))
    times = [message.occurred_at for message in messages]
    assert times == sorted(times)
    assert len(messages) == sum(1 + len(signals) for _, signals in interpreted)


@pytest.mark.parametrize(
    ("speed", "moments", "expected"),
    [
        (1.0, [5_000, 6_000, 8_000], [0.0, 1.0, 3.0]),
        (10.0, [5_000, 6_000, 8_000], [0.0, 0.1, 0.3]),
        (None, [5_000, 6_000, 8_000], [0.0, 0.0, 0.0]),
        (2.0, [5_000, 5_000, 9_000], [0.0, 0.0, 2.0]),
    ],
)
def test_each_message_waits_for_its_moment(speed: float | None, moments: list[int], expected: list[float]) -> None:
    now = [100.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds

    pace = Pace(speed, clock=lambda: now[0], sleep=sleep)
    passed = []
    for moment in moments:
        pace.wait_until(moment)
        passed.append(now[0] - 100.0)
    assert passed == pytest.approx(expected)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan")])
def test_a_speed_has_to_be_positive(speed: float) -> None:
    with pytest.raises(ValueError, match="expected a positive multiple"):
        Pace(speed)
