"""Records on `interactions`: read in columns or whole, learned, and what was learned is kept.

An input is lines, each the value of a record. Good ones stand before and behind.
"""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

import msgspec

from experiments.fuzz.drawn import described, drawn
from experiments.fuzz.messages import MODELS, feedback, interaction
from experiments.fuzz.mutation import as_json, mutated_json, mutated_lines
from experiments.fuzz.target import Target, require
from experiments.fuzz.worker import Learning, check_learned
from groundswell.events import Interaction
from streams.observing.metrics import samples

FAR: Final = 1 << 20
"""Partition of the impressions that the good ones are of: nothing else is said of it."""
MOST_LINES: Final = 20


def _good(number: int) -> bytes:
    source = {"partition": FAR, "offset": number, "floor": 0}
    return msgspec.json.encode(interaction(number, "honest", source=source))


def check(data: bytes) -> None:
    """Each record is learned or refused, in one batch as one by one; what is learned are numbers."""
    values = [_good(0), *data.split(b"\n")[:MOST_LINES], _good(1)]
    together, alone = Learning(), Learning()
    together.takes(values)
    for value in values:
        alone.takes([value])
    require(together.included == alone.included, f"{together.included} in one batch, {alone.included} one by one")
    for name, state in together.states.items():
        require(state == alone.states[name], f"what {name} learned in one batch is not what it learned one by one")
    refused = sum(int(value) for _, value in samples(together.metrics.dead_letters))
    repeated = sum(int(value) for _, value in samples(together.metrics.relearned))
    accounted = sum(together.included.values()) + refused + repeated
    require(accounted == len(values), f"of {len(values)} {together.included}, refused {refused}, repeated {repeated}")
    require(together.included["honest"] >= 2, "a good one was not learned")
    check_learned(together)


def seeds() -> Iterable[bytes]:
    """Yield good logs, one of each kind of model."""
    for model in MODELS:
        log = [
            interaction(0, model),
            interaction(1, model, feedback=[], signals=["none"]),
            interaction(
                2, model, feedback=[feedback(2, "dislike"), feedback(2, "watch")], signals=["dislike", "watch"]
            ),
        ]
        yield b"\n".join(map(msgspec.json.encode, log))


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return a log with an interaction in it changed, drawn anew, or in another place."""
    kind = described(Interaction)

    def change(line: bytes) -> bytes:
        if rng.random() < 0.05:
            return as_json(drawn(kind, rng), rng)
        return mutated_json(line, kind, rng) or line

    return None if rng.random() < 0.2 else mutated_lines(data, rng, change)


TARGET: Final = Target("interactions", check, seeds, mutated)
