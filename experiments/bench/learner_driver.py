"""The learner's loops by themselves, in whichever build runs this file: two do for `bench learner --against`.

It is a script of its own: of groundswell it imports what every build has had, under the names that it had there.

    python -P learner_driver.py FILE...

Each file has interactions as JSON lines, as they lie on the topic. Of each, under the name of the file, it prints the
events and the seconds of CPU and wall time that each way of learning took.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

ROUNDS = 5
"""Of which the medians count."""
WARM_UP = 50
"""Interactions that are learned beforehand, so that compiling does not count."""


class LayoutError(Exception):
    """A build has what is looked for under none of its names."""


def find(name: str, modules: Sequence[str]) -> Any:
    """Return what is called so in the first of these modules that there is."""
    for module in modules:
        try:
            return getattr(import_module(module), name)
        except ModuleNotFoundError as error:
            # What a module that is there misses is not for the next one to mend.
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
    raise LayoutError(f"this build has {name} in none of {', '.join(modules)}: add its module to {__file__}")


Interaction = find("Interaction", ["groundswell.events", "processors.events"])
Learner = find("Learner", ["processors.learners.learner", "processors.learner"])
ModelConfig = find("ModelConfig", ["processors.models.config", "processors.model"])
MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))


def one_at_a_time(interactions: Sequence[Any]) -> None:
    """Decide each round by the policy of the moment, then learn it."""
    learner = Learner(MODEL)
    for interaction in interactions:
        learner.probabilities(interaction.impression.context, interaction.impression.actions)
        learner.learn([interaction])


def in_batches(interactions: Sequence[Any], size: int = 256) -> None:
    """Learn in batches, as the worker does."""
    learner = Learner(MODEL)
    for begin in range(0, len(interactions), size):
        learner.learn(interactions[begin : begin + size])


WAYS = {"one at a time": one_at_a_time, "in batches": in_batches}


def measured(interactions: Sequence[Any]) -> dict[str, dict[str, float]]:
    """Return the events and the seconds of each way."""
    result = {}
    for name, way in WAYS.items():
        way(interactions[:WARM_UP])
        cpu, wall = [], []
        for _ in range(ROUNDS):
            began, used = time.perf_counter(), time.process_time()
            way(interactions)
            cpu.append(time.process_time() - used)
            wall.append(time.perf_counter() - began)
        result[name] = {"events": len(interactions), "cpu": median(cpu), "wall": median(wall)}
    return result


def main(files: Sequence[str]) -> None:
    """Measure with each file, and print everything as one object."""
    decode = msgspec.json.Decoder(Interaction).decode
    told = {}
    for file in map(Path, files):
        # Each is decoded by itself, and so made of objects of its own.
        told[file.stem] = measured([decode(line) for line in file.read_bytes().splitlines()])
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1:])
