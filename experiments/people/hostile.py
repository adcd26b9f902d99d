"""Honest people, and one producer among their apps that is not: what it writes lies among what they did.

All of it is drawn from a seed: who comes and what they do, which of a family's shapes the producer's impressions have,
how many there are and what they say. A newcomer is one of the half of all people who come late in the stream only, so
that whatever is spoilt for those nobody has met yet is seen.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from experiments.people.world import EMISSIONS, SIGNALS, liking
from groundswell.events import (
    LARGEST_WEIGHT,
    LEAST_PROPENSITY,
    Action,
    Features,
    Feedback,
    Impression,
    Interaction,
    Source,
)
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for
from processors.models.config import ModelConfig

PEOPLE, ACTIONS, VISITS = 60, 5, 12_000
EARLY, LATE = "early", "late"
EARLY_BEGINS: Final = 60
"""Visits before the first impression of a producer that begins early."""
LATE_BEGINS: Final = 200
"""Visits between that of one that begins late and the first newcomer."""
LOOKED_EVERY: Final = 500
FINAL_LOOKS: Final = 5
OFFERED: Final = [Action(f"a{number}") for number in range(ACTIONS)]


@dataclass(frozen=True)
class Attack:
    """What the producer writes: `interactions[i]` comes once `after[i]` visits have been made."""

    after: NDArray[np.int64]
    interactions: Sequence[Interaction]


@dataclass(frozen=True)
class Lived:
    """What became of the learner; one entry each `LOOKED_EVERY` visits.

    `greedy` is what people feel at the action that is ranked first, ties averaged, and `values` what they feel on
    average at what is shown, exploration included: means over all people. `explored` is the parameter of the
    exploration.
    """

    greedy: NDArray[np.float64]
    values: NDArray[np.float64]
    explored: NDArray[np.float64]
    log_loss: float
    mean_weight: float
    effective_share: float


def known(person: int, hour: float | None) -> Features:
    """Return what apps say of a person, with a number beside it where there is one."""
    return {"user": f"u{person}"} if hour is None else {"user": f"u{person}", "hour": hour}


def lived(
    seed: int, model: ModelConfig, attack: Attack | None = None, *, visits: int = VISITS, numbers: bool = False
) -> Lived:
    """Let people come and the learner act on them, with what a producer writes in between if there is one.

    The second half of the people come in the second half of the visits. Visits, and the chances by which something is
    shown and answered, are the same with and without.
    """
    rng = np.random.default_rng([seed, 1])
    states = liking(rng, PEOPLE, ACTIONS, 1, 1)
    came = rng.integers(0, PEOPLE // 2, visits)
    came[visits // 2 :] = rng.integers(0, PEOPLE, visits - visits // 2)
    chances = rng.random((visits, 3))
    emissions = np.cumsum(np.array(EMISSIONS), axis=1)
    learner = learner_for(model)
    written: dict[int, list[Interaction]] = defaultdict(list)
    if attack is not None:
        for after, one in zip(attack.after.tolist(), attack.interactions, strict=True):
            written[after].append(one)
    looks = []
    for visit in range(visits):
        for one in written[visit]:
            learner.learn([one])
        person, (shown_by, answered_by, hour) = int(came[visit]), chances[visit].tolist()
        context = known(person, hour if numbers else None)
        probabilities = learner.probabilities(context, OFFERED)
        chosen = min(int(np.searchsorted(np.cumsum(probabilities), shown_by, side="right")), ACTIONS - 1)
        answers = emissions[states[person, chosen] + 1]
        signal = SIGNALS[min(int(np.searchsorted(answers, answered_by, side="right")), len(SIGNALS) - 1)]
        learner.learn([interaction(context, OFFERED, chosen, probabilities[chosen], [(signal, None)])])
        if (visit + 1) % LOOKED_EVERY == 0:
            looks.append((*_worth(learner, states, numbers), learner.exploration.parameter))
    greedy, values, explored = np.array(looks).T
    counted = learner.statistics
    return Lived(
        greedy,
        values,
        explored,
        counted.ik_log_loss / counted.weights,
        counted.weights / counted.learned,
        counted.weights**2 / counted.squared_weights / counted.learned,
    )


def _worth(learner: Learner, states: NDArray[np.int64], numbers: bool) -> tuple[float, float]:
    greedy = value = 0.0
    for person, felt in enumerate(states):
        context = known(person, 0.5 if numbers else None)
        scores = learner.scores(context, OFFERED)
        greedy += float(felt[scores == scores.max()].mean())
        value += float(felt @ np.array(learner.probabilities(context, OFFERED)))
    return greedy / len(states), value / len(states)


def interaction(
    context: Features,
    actions: Sequence[Action],
    chosen: int,
    propensity: float,
    signals: Sequence[tuple[str, float | None]],
    weight: float = 1.0,
) -> Interaction:
    """Return an interaction with its feedback, signals with their values; `none` is no feedback."""
    impression = Impression(
        schema_version=1,
        impression_id="i",
        occurred_at=0,
        model="hostile",
        context=context,
        actions=list(actions),
        chosen=chosen,
        propensity=propensity,
        weight=weight,
    )
    feedback = [
        Feedback(schema_version=1, impression_id="i", feedback_id=str(i), occurred_at=0, signal=signal, value=value)
        for i, (signal, value) in enumerate(signals)
        if signal != "none"
    ]
    return Interaction(
        schema_version=1,
        source=Source(0, 0, 0),
        impression=impression,
        feedback=feedback,
        signals=list(dict.fromkeys(signal for signal, _ in signals)),
    )


def begins(when: str, visits: int) -> int:
    """Return before how many visits the producer's first impression comes."""
    return EARLY_BEGINS if when == EARLY else visits // 2 - LATE_BEGINS


def attack(family: str, when: str, seed: int, *, visits: int = VISITS) -> Attack:
    """Return what a producer of a family writes, beginning early or late in the stream."""
    rng = np.random.default_rng([seed, 2, list(FAMILIES).index(family)])
    written = FAMILIES[family](rng)
    first = begins(when, visits)
    spread = (visits - first - 1) // len(written) if family in LASTING else 2
    return Attack(first + spread * np.arange(len(written)), written)


def _magnitude(rng: np.random.Generator, low: float, high: float) -> float:
    return float(10.0 ** rng.uniform(np.log10(low), np.log10(high)))


def _signal(rng: np.random.Generator) -> str:
    return str(rng.choice(SIGNALS))


def _person(rng: np.random.Generator) -> Features:
    """Somebody whom the producer knows of, or not."""
    return known(int(rng.integers(PEOPLE)), None) if rng.random() < 0.7 else {"user": f"x{rng.integers(10**9)}"}


def _giant(rng: np.random.Generator) -> list[Interaction]:
    """One impression, or three, of as many crosses as are admitted, of many actions or of few with many features."""
    written = []
    for _ in range(int(rng.choice([1, 3]))):
        features = int(rng.integers(500, 1_000))
        context: Features = {f"g{rng.integers(10**9)}": 1.0 for _ in range(features)}
        if rng.random() < 0.5:
            actions = [Action(f"b{i}") for i in range(1_900_000 // features)]
        else:
            described: Features = {f"d{i}": 1.0 for i in range(850_000 // features)}
            actions = [Action("b0", described), Action("b1", described)]
        chosen, propensity = int(rng.integers(len(actions))), _magnitude(rng, LEAST_PROPENSITY, 1e-3)
        written.append(interaction(context, actions, chosen, propensity, [(_signal(rng), None)]))
    return written


def _heavy(rng: np.random.Generator) -> list[Interaction]:
    """A dozen small impressions that say they stand for very many, of a person or of some features more."""
    signal, more = _signal(rng), int(rng.choice([0, 200]))
    actions = [*OFFERED, *(Action(f"b{i}") for i in range(more))]
    return [
        interaction(
            {**_person(rng), **{f"g{rng.integers(10**9)}": 1.0 for _ in range(more)}},
            actions, int(rng.integers(len(actions))), 1 / len(actions),
            [(signal if rng.random() < 0.5 else _signal(rng), None)], _magnitude(rng, 1e2, LARGEST_WEIGHT),
        )
        for _ in range(int(rng.integers(12, 20)))
    ]  # fmt: skip


def _names(rng: np.random.Generator) -> list[Interaction]:
    """Impressions with names of features that nobody has used, few or very many, now and then the same again."""
    count, again = int(_magnitude(rng, 10, 900)), bool(rng.random() < 0.5)
    few = [f"n{rng.integers(10**9)}" for _ in range(count)]
    return [
        interaction(
            {**_person(rng), **dict.fromkeys(few if again else [f"n{rng.integers(10**9)}" for _ in range(count)], 1.0)},
            OFFERED, int(rng.integers(ACTIONS)), 1 / ACTIONS, [(_signal(rng), None)],
        )
        for _ in range(int(rng.integers(50, 80)))
    ]  # fmt: skip


def _sessions(rng: np.random.Generator) -> list[Interaction]:
    """One impression in twenty, all along, has the id of a session of some impressions in its context."""
    length = int(rng.integers(1, 20))
    return [
        interaction(
            {"user": f"x{rng.integers(5)}", "session": f"s{number // length}"},
            OFFERED, int(rng.integers(ACTIONS)), 1 / ACTIONS, [("none", None)],
        )
        for number in range(600)
    ]  # fmt: skip


def _actions(rng: np.random.Generator) -> list[Interaction]:
    """Impressions among very many actions."""
    actions = [Action(f"b{i}") for i in range(int(rng.integers(500, 5_000)))]
    return [
        interaction(_person(rng), actions, int(rng.integers(len(actions))), 1 / len(actions), [(_signal(rng), None)])
        for _ in range(int(rng.integers(50, 80)))
    ]


def _propensities(rng: np.random.Generator) -> list[Interaction]:
    """Ordinary impressions that say they were next to impossible."""
    return [
        interaction(
            _person(rng), OFFERED, int(rng.integers(ACTIONS)), _magnitude(rng, LEAST_PROPENSITY, 1e-4),
            [(_signal(rng), None)],
        )
        for _ in range(int(rng.integers(20, 60)))
    ]  # fmt: skip


def _values(rng: np.random.Generator) -> list[Interaction]:
    """Impressions with numbers far beyond all others, in a feature that all have, and in those of actions."""

    def number() -> float:
        return float(rng.choice([-1.0, 1.0])) * _magnitude(rng, 1e3, 1e300)

    return [
        interaction(
            {"user": f"u{rng.integers(PEOPLE)}", "hour": number()},
            [Action(one.id, {"length": number()}) for one in OFFERED] if rng.random() < 0.5 else OFFERED,
            int(rng.integers(ACTIONS)), 1 / ACTIONS, [(_signal(rng), None)],
        )
        for _ in range(int(rng.integers(20, 60)))
    ]  # fmt: skip


def _outliers(rng: np.random.Generator) -> list[Interaction]:
    """Signals that nobody else gives, and values of those that all give, far beyond all others."""
    return [
        interaction(
            _person(rng), OFFERED, int(rng.integers(ACTIONS)), 1 / ACTIONS,
            [
                (f"z{rng.integers(10**9)}" if rng.random() < 0.5 else _signal(rng), None),
                ("click", float(rng.choice([-1.0, 1.0])) * _magnitude(rng, 1e3, 1e300)),
            ][int(rng.integers(2)) :][:1],
        )
        for _ in range(int(rng.integers(50, 80)))
    ]  # fmt: skip


FAMILIES: Final[Mapping[str, Callable[[np.random.Generator], list[Interaction]]]] = {
    "giant": _giant,
    "heavy": _heavy,
    "names": _names,
    "sessions": _sessions,
    "actions": _actions,
    "propensities": _propensities,
    "values": _values,
    "outliers": _outliers,
}
LASTING: Final = frozenset({"sessions"})
"""Families that go on until the end."""
NUMBERS: Final = frozenset({"values"})
"""Families in which people come with a number."""
