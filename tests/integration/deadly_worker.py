"""A worker that some records end without an error, as a crash of the interpreter would: the fault is planted here."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from processors.join.entries import ShownImpression, Step
from processors.join.fold import Join
from processors.learners.learner import Learner
from streams.app import run_worker
from streams.settings import load_settings

DEADLY_TO_FOLD = "i10"
DEADLY_TO_LEARN = "i20"
STATUS = 3


def plant() -> None:
    """Let fold and learners end the process, when they have changed something already."""
    add_impressions, learn_stretch = Join.add_impressions, Learner.learn_stretch

    def add(join: Join, impressions: Iterable[ShownImpression]) -> Step:
        some = list(impressions)
        step = add_impressions(join, some)
        if any(one.id == DEADLY_TO_FOLD for one in some):
            os._exit(STATUS)
        return step

    def learn(learner: Learner, stretch: Any) -> Any:
        rewards = learn_stretch(learner, stretch)
        if any(one.impression.impression_id == DEADLY_TO_LEARN for one in stretch.read):
            os._exit(STATUS)
        return rewards

    Join.add_impressions = add  # type: ignore[method-assign,assignment]  # a fault is planted here
    Learner.learn_stretch = learn  # type: ignore[method-assign,assignment]  # a fault is planted here


if __name__ == "__main__":
    plant()
    run_worker(load_settings())
