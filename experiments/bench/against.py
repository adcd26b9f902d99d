"""An older build beside this one: runs of both in pairs, and the ratios within each pair.

Both runs of a pair follow one another, so that what else the machine does falls on both, and the order alternates:
neither has the better place. The median of the ratios says what changed, their quartiles how sure that is.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final, TypeVar

import msgspec
import numpy as np
from rich.console import Console
from rich.markup import escape

from experiments.bench.older_build import WORKERS, Build, BuildError, older_build, this_build
from experiments.bench.race import CORES, ContenderError, Measured, pinned, race
from experiments.bench.result import at_least, conclude
from experiments.bench.workload import Logs

DRIVER: Final = Path(__file__).with_name("learner_driver.py")
ACTIONS: Final = (11, 50, 200)
LEARNED: Final = 24_000
"""Events with 11 actions; fewer with more."""
BY: Final = {"CPU time": "per_cpu_second", "wall time": "per_second"}

One = TypeVar("One")
Pairs = Sequence[tuple[Measured, Measured]]
"""What was measured of the older build and of this one."""


@dataclass(frozen=True)
class Spread:
    """The ratios of the pairs: their median, their quartiles, and the least and the greatest of them."""

    ratio: float
    q1: float
    q3: float
    min: float
    max: float


def spread(rates: Sequence[tuple[float, float]]) -> Spread:
    """Return the spread of new / old, given the rates (old, new) of each pair."""
    least, q1, middle, q3, most = np.quantile([new / old for old, new in rates], [0, 0.25, 0.5, 0.75, 1]).tolist()
    return Spread(middle, q1, q3, least, most)


def in_pairs(pairs: int, old: Callable[[], One], new: Callable[[], One]) -> list[tuple[One, One]]:
    """Run both so many times, directly after one another, and old first in every other pair; return (old, new)."""
    result = []
    for number in range(pairs):
        if number % 2:
            after = new()
            before = old()
        else:
            before = old()
            after = new()
        result.append((before, after))
    return result


def against_worker(
    kind: str, out: Path, impressions: int, path: Path, pairs: int, least: float, *, profile: bool = False
) -> int:
    """Run the workers of both builds, as `join` or `pipeline`, in pairs; return what the command exits with.

    That is 1 if this build reaches less than `least` of the older one's rate by CPU time, 2 if it cannot be told.
    """
    return _told(out, lambda old: _worker_pairs(kind, out, impressions, old, pairs, profile=profile), path, least, kind)


def against_learner(out: Path, path: Path, pairs: int, least: float, learned: int = LEARNED) -> int:
    """Run the learners of both builds by themselves, as `against_worker` does the workers."""
    return _told(out, lambda old: _learner_pairs(out, old, pairs, learned), path, least, "learner")


def _told(out: Path, measure: Callable[[Build], Mapping[str, Pairs]], path: Path, least: float, bench: str) -> int:
    out.mkdir(parents=True, exist_ok=True)
    try:
        old = older_build(path, out / "builds")
        Console().print(f"against {old.facts['packages']}, run by {old.python}", highlight=False, soft_wrap=True)
        measured = measure(old)
    except (BuildError, ContenderError) as error:
        Console(stderr=True).print(f"[bold red]groundswell:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        return 2
    return concluded(out, measured, old, least, bench)


def concluded(out: Path, measured: Mapping[str, Pairs], old: Build, least: float, bench: str) -> int:
    """Print rates and ratios of whatever was measured, write results.json, and return 1 if a bar is missed."""
    rows: dict[str, dict[str, float]] = {}
    bars = []
    for what, pairs in measured.items():
        for name, by in BY.items():
            rates = [(getattr(older, by), getattr(newer, by)) for older, newer in pairs]
            ratios = spread(rates)
            older_rate, this_rate = (median(side) for side in zip(*rates, strict=True))
            rows[f"{what}, {name}"] = {"older": older_rate, "this": this_rate, **asdict(ratios)}
            if name == "CPU time":
                bars.append(at_least(f"{what}, times the older build's", least, ratios.ratio))
    number = len(next(iter(measured.values())))
    return conclude(
        out, f"events a second, medians of {number} pairs; ratio: this build's to the older one's", rows, bars,
        bench=bench, pairs=number, older_build=old.facts, this_build=this_build().facts,
        every_pair={
            what: [{"older": asdict(older), "this": asdict(newer)} for older, newer in pairs]
            for what, pairs in measured.items()
        },
    )  # fmt: skip


def _worker_pairs(
    kind: str, out: Path, impressions: int, old: Build, pairs: int, *, profile: bool
) -> Mapping[str, Pairs]:
    from experiments.bench.contenders import ours  # noqa: PLC0415 - an extra dependency
    from experiments.bench.turns import PATIENCE, broker_on_its_own_core  # noqa: PLC0415

    if not old.worker:
        raise BuildError(
            f"the build in {old.facts['packages']} has no worker for benchmarks, neither {' nor '.join(WORKERS)}: "
            f"add its name to WORKERS in {Build.__module__}"
        )
    console, logs, numbers = Console(), Logs(impressions), count()

    def run(build: Build) -> Measured:
        number = next(numbers)
        contender, inputs = ours(kind, number, servers, kept)
        contender = replace(
            contender,
            name=f"{build.name}, {kind}",
            python=str(build.python),
            module=build.worker,
            environment={**contender.environment, **build.environment},
        )
        stem = f"{build.name.replace(' ', '-')}-{number // 2}"
        stacks = out / f"profile-{stem}.txt" if profile else None
        one = race(contender, inputs, logs, out / f"{stem}.log", PATIENCE, profile=stacks)
        rates = f"{one.per_second:,.0f} a second, {one.per_cpu_second:,.0f} a CPU second"
        console.print(f"{number // 2 + 1}/{pairs} {build.name}: {rates}")
        return one

    new = this_build()
    with broker_on_its_own_core() as (servers, kept):
        return {kind: in_pairs(pairs, lambda: run(old), lambda: run(new))}


def _learner_pairs(out: Path, old: Build, pairs: int, learned: int) -> Mapping[str, Pairs]:
    files = write_interactions(out, learned)
    numbers, console, new = count(), Console(), this_build()

    def run(build: Build) -> dict[str, Measured]:
        told = learned_by(build, files)
        rates = ", ".join(f"{what} {one.per_cpu_second:,.0f}" for what, one in told.items())
        console.print(f"{next(numbers) // 2 + 1}/{pairs} {build.name}: {rates} a CPU second", soft_wrap=True)
        return told

    both = in_pairs(pairs, lambda: run(old), lambda: run(new))
    return {what: [(older[what], newer[what]) for older, newer in both] for what in both[0][0]}


def write_interactions(out: Path, learned: int) -> Sequence[Path]:
    """Write the interactions that both learn, a file for each number of actions; `learned` with the fewest."""
    from experiments.bench.learner import log  # noqa: PLC0415 - compiled functions take a second

    files = []
    for actions in ACTIONS:
        files.append(out / f"K = {actions}.jsonl")
        some = log(actions, max(learned * ACTIONS[0] // actions, learned // 8))
        files[-1].write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in some))
    return files


def learned_by(build: Build, files: Sequence[Path]) -> dict[str, Measured]:
    """Let a build's learner learn what lies in these files, in a process of its own; return what each way took."""
    command = [*pinned(CORES[-1:]), str(build.python), str(DRIVER), *map(str, files)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env={**os.environ, **build.environment},
    )  # fmt: skip
    if done.returncode != 0:
        raise ContenderError(f"the learner of {build.facts['packages']} ended:\n{done.stderr[-3000:]}")
    return {
        f"{file}, {way}": Measured(took["events"], took["wall"], took["cpu"])
        for file, ways in json.loads(done.stdout).items()
        for way, took in ways.items()
    }
