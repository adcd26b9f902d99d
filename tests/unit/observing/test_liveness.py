"""When a worker should be started again, and when it is only busy."""

from __future__ import annotations

import pytest

from streams.app import create_app
from streams.observing.liveness import LONGEST_WAIT, Liveness
from tests.unit.http.test_live_page import served
from tests.unit.stand_ins import Time, worker_settings

STUCK = 120.0


@pytest.mark.parametrize(
    ("happened", "trouble"),
    [
        ([("pass", LONGEST_WAIT)], None),
        ([("pass", LONGEST_WAIT + 1)], "no partition has come for 1801 s"),
        ([("beat", 0), ("pass", STUCK)], None),
        ([("beat", 0), ("pass", STUCK + 1)], "stuck: nothing has come to its end for 121 s"),
        ([("beat", 0), ("pass", STUCK + 1), ("beat", 0)], None),
        ([("wait", 0), ("begin", 0), ("pass", STUCK + 1)], "stuck: nothing has come to its end for 121 s"),
        ([("beat", 0), ("pass", STUCK), ("begin", 0), ("pass", 1)], "stuck: nothing has come to its end for 121 s"),
        ([("beat", 0), ("pass", STUCK - 1), ("wait", 0), ("pass", STUCK)], None),
        ([("beat", 0), ("wait", 0), *[("pass", 1), ("wait", 0)] * 1801], "no partition has come for 1801 s"),
        ([("wait", 0), ("pass", LONGEST_WAIT), ("beat", 0), ("wait", 0), ("pass", 10)], None),
    ],
    ids=[
        "starts",
        "never starts",
        "busy",
        "stuck",
        "unstuck",
        "stuck in its first round",
        "stuck in a later one",
        "rebalances",
        "rebalances for ever",
        "comes back",
    ],
)
def test_it_is_stuck_only_when_nothing_ends_for_longer_than_it_may(
    happened: list[tuple[str, float]], trouble: str | None
) -> None:
    clock = Time()
    pulse = Liveness(STUCK, clock)
    for what, seconds in happened:
        clock.now += seconds
        if what != "pass":
            getattr(pulse, what)()
    assert pulse.trouble() == trouble


def test_the_page_says_what_the_pulse_says() -> None:
    app, clock = create_app(worker_settings()), Time()
    app.liveness = Liveness(STUCK, clock)
    app.liveness.beat()
    assert served(app, "/healthz")[::2] == (200, b"ok\n")
    clock.now += STUCK + 1
    # Another app, since a web server is started once.
    other = create_app(worker_settings())
    other.liveness = app.liveness
    assert served(other, "/healthz")[::2] == (503, b"stuck: nothing has come to its end for 121 s\n")


def test_it_is_not_ready_before_it_has_partitions() -> None:
    assert served(create_app(worker_settings()), "/readyz")[::2] == (503, b"holds no partition\n")
