"""A simulated feed of images whose signals leak: most people do nothing, and every signal happens by accident
too.

Ten segments of people, a pool of sixty images in six topics; a round offers ten of them. A segment likes some
images and is repelled by others, more so in some topics. What tempts people to click is not always what they
like: the images that repel are clicked twice as often as the indifferent ones.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from experiments.people.rounds import Rounds
from groundswell.events import Action
from processors.features.feature_store import FeatureStore

SEGMENTS, POOL, TOPICS, OFFERED, SETS = 10, 60, 6, 10, 40
ROUNDS: Final = 100_000
SIGNALS: Final = ("none", "click", "like", "dislike", "skip", "play")
EMISSIONS: Final = (
    (0.450, 0.200, 0.005, 0.100, 0.245, 0.0),
    (0.755, 0.100, 0.005, 0.005, 0.135, 0.0),
    (0.550, 0.300, 0.100, 0.005, 0.045, 0.0),
    (0.255, 0.100, 0.005, 0.005, 0.135, 0.5),
)
"""Probabilities of the signals in the states -1, 0, +1, and for an indifferent video, which plays by itself."""
VIDEO: Final = 2
HAND_MADE: Final = {"none": 0.0, "click": 0.3, "like": 1.0, "dislike": -1.0, "skip": -0.1, "play": 0.0}
"""The weights that somebody would have agreed on in a meeting."""
CLICK: Final = {"none": 0.0, "click": 1.0, "like": 0.0, "dislike": 0.0, "skip": 0.0, "play": 0.0}


def rounds(seed: int, *, videos: bool = False) -> Rounds:
    """Return the feed of a seed; with `videos`, a quarter of the indifferent images are self-playing videos."""
    rng = np.random.default_rng(seed)
    topics = rng.integers(TOPICS, size=POOL)
    liking = rng.normal(size=(SEGMENTS, TOPICS))[:, topics] + rng.normal(size=(SEGMENTS, POOL))
    states = np.where(liking > 1.7, 1, np.where(liking < -1.7, -1, 0))
    if videos:
        states = np.where((states == 0) & (rng.random(POOL) < 0.25), VIDEO, states)
    pool = [Action(f"image {i}", {"topic": f"topic {topics[i]}"}) for i in range(POOL)]
    store = FeatureStore(crosses=False)
    contexts, rows = np.zeros((SEGMENTS, SETS), dtype=np.int64), np.zeros((SEGMENTS, SETS), dtype=np.int64)
    of_set = np.zeros((SEGMENTS * SETS, OFFERED), dtype=np.int64)
    for segment in range(SEGMENTS):
        for number in range(SETS):
            offered = rng.choice(POOL, size=OFFERED, replace=False)
            contexts[segment, number] = store.context({"segment": f"segment {segment}"})
            rows[segment, number] = store.actions([pool[i] for i in offered])
            of_set[rows[segment, number]] = states[segment, offered]
    segments, numbers = rng.integers(SEGMENTS, size=ROUNDS), rng.integers(SETS, size=ROUNDS)
    return Rounds(
        store=store,
        contexts=contexts[segments, numbers],
        sets=rows[segments, numbers],
        readers=np.zeros(ROUNDS, dtype=np.int64),
        states=of_set,
        emissions=np.array([EMISSIONS]),
        signals=SIGNALS,
    )
