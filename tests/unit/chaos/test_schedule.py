"""What dies when is decided by the seed alone."""

from __future__ import annotations

from collections import Counter

from experiments.chaos.schedule import Disturbance, schedule


def test_the_same_seed_gives_the_same_moments_and_another_seed_others() -> None:
    assert schedule(20, "7", 5.0) == schedule(20, "7", 5.0)
    assert schedule(20, "7", 5.0) != schedule(20, "8", 5.0)


def test_kills_are_as_many_as_asked_for_and_everything_else_happens_in_proportion() -> None:
    moments = schedule(50, "0", 5.0)
    kinds = Counter(moment.what for moment in moments)
    assert kinds[Disturbance.KILL] == 50
    assert kinds[Disturbance.TERMINATE] == kinds[Disturbance.REBALANCE] == 10
    assert kinds[Disturbance.BROKER_STOP] + kinds[Disturbance.BROKER_KILL] == 5
    assert [moment.at for moment in moments] == sorted(moment.at for moment in moments)
    assert 0 <= moments[0].at <= moments[-1].at <= 75 * 5.0


def test_one_kill_comes_with_one_of_each_and_none_with_nothing() -> None:
    assert len(schedule(1, "0", 5.0)) == 4
    assert schedule(0, "0", 5.0) == []


def test_where_only_workers_may_die_nothing_else_is_disturbed() -> None:
    moments = schedule(20, "0", 5.0, workers_only=True)
    assert Counter(moment.what for moment in moments) == {Disturbance.KILL: 20, Disturbance.TERMINATE: 4}
