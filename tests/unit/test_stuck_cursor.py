"""Noticing what was skipped when nothing behind it shows the gap."""

from __future__ import annotations

import pytest

from streams.record_batches import STUCK_SECONDS, Cursor


@pytest.mark.parametrize(
    ("looks", "stuck"),
    [
        ([(0, 5), (STUCK_SECONDS, 5)], True),
        ([(0, 5), (STUCK_SECONDS - 1, 5)], False),
        ([(0, 5), (STUCK_SECONDS - 1, 0), (STUCK_SECONDS, 5)], False),
        ([(0, 5), (STUCK_SECONDS, 5), (STUCK_SECONDS + 1, 5)], False),
        ([(0, 5), (STUCK_SECONDS, 5), (2 * STUCK_SECONDS, 5)], True),
    ],
    ids=["long enough", "not yet", "at the end meanwhile", "just sought", "sought in vain"],
)
def test_a_reader_that_lags_and_gets_nothing_for_long_is_stuck(looks: list[tuple[float, int]], stuck: bool) -> None:
    cursor = Cursor(10)
    assert [cursor.stuck(now, lag) for now, lag in looks][-1] is stuck


def test_a_reader_that_moves_is_not_stuck() -> None:
    cursor = Cursor(10)
    cursor.stuck(0, 5)
    cursor.offset = 11
    assert not cursor.stuck(STUCK_SECONDS, 4)
