"""What happens when: disturbances at seeded random moments, decided before anything starts."""

from __future__ import annotations

import random
from dataclasses import dataclass
from enum import StrEnum


class Disturbance(StrEnum):
    """What can happen to a worker, the group or the broker."""

    KILL = "kill -9 of a worker"
    TERMINATE = "SIGTERM to a worker"
    BROKER_STOP = "broker restarted"
    BROKER_KILL = "broker killed and restarted"
    REBALANCE = "a third worker joins or leaves"


@dataclass(frozen=True)
class Moment:
    """A disturbance, when it is due (seconds since the beginning), and a number that chooses its victim."""

    at: float
    what: Disturbance
    choice: int


def schedule(kills: int, seed: str, spacing: float, *, workers_only: bool = False) -> list[Moment]:
    """Return `kills` kills and, in proportion, the other disturbances, one per `spacing` seconds on average.

    With `workers_only` neither the broker nor the group is disturbed.
    """
    rng = random.Random(seed)
    kinds = [Disturbance.KILL] * kills + [Disturbance.TERMINATE] * _share(kills, 5)
    if not workers_only:
        kinds += [Disturbance.REBALANCE] * _share(kills, 5)
        kinds += [rng.choice([Disturbance.BROKER_STOP, Disturbance.BROKER_KILL]) for _ in range(_share(kills, 10))]
    moments = [Moment(rng.uniform(0, len(kinds) * spacing), kind, rng.randrange(1 << 30)) for kind in kinds]
    return sorted(moments, key=lambda moment: moment.at)


def _share(kills: int, one_in: int) -> int:
    return -(-kills // one_in)
