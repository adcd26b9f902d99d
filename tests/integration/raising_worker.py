"""A worker with a fault in its fold and in its learners: on some records they raise what nobody foresaw."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from processors.join.entries import ShownImpression, Step
from processors.join.fold import Join
from processors.learners.learner import Learner
from streams.app import run_worker
from streams.settings import load_settings

NOT_FOLDED = {"i100", "i1500"}
NOT_LEARNED = {"i101", "i900", "i901"}


def raise_for(ids: Iterable[str], bad: set[str]) -> None:
    """Raise if any of these is bad."""
    if found := sorted(bad.intersection(ids)):
        raise LookupError(f"{found[0]} was not foreseen")


def plant() -> None:
    """Let fold and learners raise, when they have changed something already."""
    add_impressions, learn_stretch = Join.add_impressions, Learner.learn_stretch

    def add(join: Join, impressions: Iterable[ShownImpression]) -> Step:
        some = list(impressions)
        step = add_impressions(join, some)
        raise_for([one.id for one in some], NOT_FOLDED)
        return step

    def learn(learner: Learner, stretch: Any) -> Any:
        rewards = learn_stretch(learner, stretch)
        raise_for([one.impression.impression_id for one in stretch.read], NOT_LEARNED)
        return rewards

    Join.add_impressions = add  # type: ignore[method-assign,assignment]  # a fault is planted here
    Learner.learn_stretch = learn  # type: ignore[method-assign,assignment]  # a fault is planted here


if __name__ == "__main__":
    plant()
    run_worker(load_settings())
