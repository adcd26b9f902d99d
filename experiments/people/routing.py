"""Requests routed to one of several language models, with no verifier: what people do with an answer is all there is.

People retry, edit, copy, thank or press the thumb down, each now and then whatever they think of the answer. The app
logs how long the answer was and how long it took beside that, for every answer: it tells which model answered, not how
well.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.people import playing
from experiments.people.playing import INFERRED, MODEL, Outcome, inferred
from experiments.people.world import NOTHING, ROUNDS, World
from groundswell.events import NONE_SIGNAL, Action, Features, Feedback, Impression, Interaction, Source
from processors.features.feature_store import FeatureStore
from processors.learners.reward_columns import DOUBTS
from processors.learners.three_state_learner import ThreeStateLearner
from processors.models.config import ModelConfig

CASES: Final = ("no length, no latency", "length and latency", "length by request")
REQUESTS: Final = ("code", "translate", "summarise", "mathematics", "write", "explain", "extract", "chat")
MODELS: Final = ("large", "large-new", "medium", "small", "small-tuned")
NEGATIVE: Final = frozenset({"thumb_down"})
POSITIVE: Final = frozenset({"copy", "thank"})
"""What is known beforehand, as deploy/routing.toml says it to a worker. Both come by accident, too."""
SIGNALS: Final = ("retry", "edit", "copy", "thank", "thumb_down", NONE_SIGNAL)
LENGTH, LATENCY = "length", "latency"
CODES: Final = {name: code for code, name in DOUBTS.items()}
GIVEN: Final = (
    (0.40, 0.15, 0.03, 0.01, 0.08, 0.33),
    (0.10, 0.20, 0.12, 0.02, 0.004, 0.556),
    (0.03, 0.10, 0.45, 0.12, 0.001, 0.299),
)
"""Probabilities of the signals where an answer is no good, will do, or is just right."""
TOKENS: Final = (700.0, 500.0, 350.0, 150.0, 120.0)
SECONDS: Final = (12.0, 6.0, 8.0, 2.0, 1.5)
"""Medians of the models; an answer is off by `SPREAD` in logarithm."""
SPREAD: Final = 0.3
BY_REQUEST: Final = 0.6
"""By how much kinds of request make lengths differ, in logarithm, each model's in its own way."""
SKILL: Final = 1.2
"""Of how well a model does at a kind of request, as a log-odds."""
TOGETHER: Final = 50
"""Requests that are routed by one policy."""


@dataclass(frozen=True)
class Requests(World):
    """Requests, and what the app logs of each answer: medians of its length and latency, (kinds, models)."""

    tokens: NDArray[np.float64] = field(default_factory=lambda: NOTHING)
    seconds: NDArray[np.float64] = field(default_factory=lambda: NOTHING)


def world(case: str, seed: int) -> Requests:
    """Return requests of eight kinds that five models answer well or badly by chance, each kind its own models best."""
    rng = np.random.default_rng([seed, 14])
    store = FeatureStore(crosses=False)
    contexts = np.array([store.context(_known(kind)) for kind in range(len(REQUESTS))])
    store.actions([Action(model) for model in MODELS])
    skill = SKILL * rng.normal(size=(len(REQUESTS), len(MODELS)))
    asked = rng.integers(0, len(REQUESTS), ROUNDS)
    appeal = skill[asked] + rng.logistic(size=(ROUNDS, len(MODELS)))
    logged = case != CASES[0]
    tokens = np.tile(TOKENS, (len(REQUESTS), 1))
    if case == "length by request":
        tokens *= np.exp(BY_REQUEST * rng.normal(size=tokens.shape))
    return Requests(
        store=store,
        contexts=contexts[asked],
        sets=np.zeros(ROUNDS, dtype=np.int64),
        rows=np.arange(ROUNDS),
        kinds=asked,
        states=(appeal > 1.0).astype(np.int64) - (appeal < -1.0),
        emissions=np.tile(np.array(GIVEN), (len(REQUESTS), 1, 1)),
        signals=SIGNALS,
        negative=NEGATIVE,
        positive=POSITIVE,
        clicks=POSITIVE,
        leaking=frozenset({LENGTH, LATENCY} if logged else ()),
        tokens=tokens if logged else NOTHING,
        seconds=np.tile(SECONDS, (len(REQUESTS), 1)) if logged else NOTHING,
    )


def played(world: World, source: int, seed: int) -> Outcome:
    """Let people and learner interact, by whole interactions where length and latency come beside what people do."""
    assert isinstance(world, Requests)
    if source != INFERRED or not world.leaking:
        return playing.played(world, source, seed)
    rng = np.random.default_rng([seed, 17])
    learner = ThreeStateLearner(
        ModelConfig(name=MODEL.name, definitely_negative=NEGATIVE, definitely_positive=POSITIVE)
    )
    actions = [Action(model) for model in MODELS]
    emitted = np.cumsum(np.array(GIVEN), axis=1)
    count = len(world.rows)
    values, propensities = np.zeros(count), np.zeros(count)
    true, chosen_at, signals, decoded, doubts = np.zeros((5, count), dtype=np.int64)
    probabilities = np.zeros((count, 3))
    for begin in range(0, count, TOGETHER):
        scores = np.array([learner.scores(_known(kind), actions) for kind in range(len(REQUESTS))])
        best = scores == scores.max(axis=1, keepdims=True)
        shown = np.array([learner.probabilities(_known(kind), actions) for kind in range(len(REQUESTS))])
        interactions = []
        numbers = range(begin, min(begin + TOGETHER, count))
        for number in numbers:
            kind = int(world.kinds[number])
            values[number] = world.states[number][best[kind]].mean()
            chosen = min(int(np.searchsorted(np.cumsum(shown[kind]), rng.random())), len(MODELS) - 1)
            state = int(world.states[number, chosen])
            place = min(int(np.searchsorted(emitted[state + 1], rng.random(), side="right")), len(SIGNALS) - 1)
            true[number], chosen_at[number], signals[number] = state, chosen, place
            propensities[number] = shown[kind, chosen]
            sizes = [world.tokens[kind, chosen], world.seconds[kind, chosen]] * np.exp(SPREAD * rng.normal(size=2))
            said: list[tuple[str, float | None]] = [(LENGTH, float(sizes[0])), (LATENCY, float(sizes[1]))]
            if SIGNALS[place] != NONE_SIGNAL:
                said.append((SIGNALS[place], None))
            interactions.append(_interaction(number, kind, actions, chosen, float(shown[kind, chosen]), said))
        for number, reward in zip(numbers, learner.learn(interactions), strict=True):
            if reward is not None:
                decoded[number] = inferred(reward)
                doubts[number] = CODES[reward.doubt]
                probabilities[number] = reward.state_probabilities or ()
    left_out = [name for name, leak in learner.leaking.items() if leak.left_out]
    return Outcome(
        values, true, chosen_at, signals, decoded, probabilities, propensities,
        posteriors=np.ones(count), doubts=doubts, left_out=left_out,
    )  # fmt: skip


def _known(kind: int) -> Features:
    return {"request": REQUESTS[kind]}


def _interaction(
    number: int, kind: int, actions: list[Action], chosen: int, propensity: float, said: list[tuple[str, float | None]]
) -> Interaction:
    impression = Impression(
        schema_version=1,
        impression_id=f"r{number}",
        occurred_at=number,
        model=MODEL.name,
        context=_known(kind),
        actions=actions,
        chosen=chosen,
        propensity=propensity,
    )
    feedback = [
        Feedback(
            schema_version=1,
            impression_id=f"r{number}",
            feedback_id=f"r{number}-{signal}",
            occurred_at=number + place,
            signal=signal,
            value=value,
        )
        for place, (signal, value) in enumerate(said)
    ]
    return Interaction(
        schema_version=1,
        source=Source(partition=0, offset=number, floor=0),
        impression=impression,
        feedback=feedback,
        signals=[signal for signal, _ in said],
    )
