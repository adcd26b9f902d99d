"""Worlds that change half-way: tastes, the meaning of a signal, the buttons there are, the items offered."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from experiments.people.world import EMISSIONS, ROUNDS, SIGNALS, World, liking, people
from groundswell.events import Action, FeatureValue
from processors.features.feature_store import FeatureStore

LONG = 60_000
CASES = ("tastes", "meaning", "button removed", "new signal", "again")
ITEMS = ("new items", "new items with features")
DAY, OFFERED = 2_500, 10


def world(case: str, seed: int) -> World:
    """Return ten people for 60,000 visits whose world changes at 30,000, in the case "again" also at 45,000."""
    rng = np.random.default_rng([seed, 8])
    if case in ITEMS:
        return _items(rng, features=case == ITEMS[1])
    states = liking(rng, 10, 11, 1, 1)
    signals = (*SIGNALS, "share", "hide")
    plain = np.array([[*row, 0.0, 0.0] for row in EMISSIONS])
    half = LONG // 2
    changes: tuple[int, ...] = (half,)
    if case in ("tastes", "again"):
        other = states.copy()
        other[:5] = liking(rng, 5, 11, 1, 1)
        phases = [states, other]
        if case == "again":
            phases.append(np.concatenate((other[:5], liking(rng, 5, 11, 1, 1))))
            changes = (half, half + half // 2)
        made = people(rng, np.concatenate(phases), rounds=LONG, emissions=plain, signals=signals, known=_known(phases))
        came = made.rows % 10
        phase = np.searchsorted(np.array(changes), np.arange(LONG), side="right")
        return replace(
            made, rows=came + 10 * phase, contexts=made.contexts, persons=came, changes=changes, audience=True
        )
    after = plain.copy()
    turned = np.zeros(10, dtype=bool)
    if case == "meaning":
        turned[:5] = True
        after[:, [0, 3]] = after[:, [3, 0]]
    elif case == "button removed":
        turned[:] = True
        after[2] = (0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    else:
        turned[:] = True
        after = np.array([[0, 0, 0.1, 0, 0, 0, 0.9], plain[1], [0, 0, 0, 0, 0, 1, 0]])
    made = people(rng, states, rounds=LONG, emissions=(plain, after), signals=signals, audience=True, changes=changes)
    kinds = np.where((np.arange(LONG) >= half) & turned[made.rows], 1, 0)
    return replace(made, kinds=kinds)


def _known(phases: list[np.ndarray]) -> list[dict[str, str]]:
    return [{"user": f"u{i % 10}"} for i in range(10 * len(phases))]


def _items(rng: np.random.Generator, *, features: bool) -> World:
    """Five people, ten new items a day of which each enjoys two and hates two, by topic where items have one."""
    store = FeatureStore(crosses=False)
    contexts = np.array([store.context({"user": f"u{i}"}) for i in range(5)])
    days = ROUNDS // DAY
    states = np.zeros((days * 5, OFFERED), dtype=np.int64)
    taste = np.array([rng.permutation([1, 1, -1, -1, 0, 0, 0, 0, 0, 0]) for _ in range(5)])
    for day in range(days):
        topics = rng.permutation(OFFERED)
        described: list[dict[str, FeatureValue]] = [{"topic": f"t{topic}"} if features else {} for topic in topics]
        store.actions([Action(f"d{day} a{i}", described[i]) for i in range(OFFERED)])
        for user in range(5):
            states[day * 5 + user] = taste[user][topics] if features else rng.permutation(taste[user])
    came, day_of = rng.integers(0, 5, ROUNDS), np.arange(ROUNDS) // DAY
    return World(
        store=store,
        contexts=contexts[came],
        sets=day_of,
        rows=day_of * 5 + came,
        kinds=np.zeros(ROUNDS, dtype=np.int64),
        states=states,
        emissions=np.array([EMISSIONS]),
    )
