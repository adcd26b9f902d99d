"""Fuzz all targets for some time, and say what was found and how to do it again.

    python -m experiments.fuzz.run --seconds 120

Ends with 1 where anything was found. What was met on the way is kept in the output folder, and gone on from.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import SystemRandom
from typing import Any, Final, NamedTuple

from experiments.fuzz.engine import CORPUS, LONGEST, PROJECT
from experiments.fuzz.target import NAMES

FOUND: Final = ("found-", "crash-", "timeout-", "oom-", "leak-", "slow-unit-")
"""How the names of inputs begin that something went wrong with; all but the first are libFuzzer's."""
STARTING: Final = 300
"""Seconds beyond its time that a target gets to start and to end, on a busy machine."""
SLOW: Final = "slow-unit-"
_PROGRESS: Final = re.compile(r"^#(\d+)\s.*?cov: (\d+) ft: (\d+) corp: (\d+)/(\S+)", re.MULTILINE)


class Fuzzed(NamedTuple):
    """What came of one target."""

    name: str
    executions: int
    coverage: int
    features: int
    corpus: int
    seconds: float
    found: list[Path]
    wrong: str | None


def fuzzed(name: str, out: Path, until: float, seed: int) -> Fuzzed:
    """Fuzz one target in a process of its own."""
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.iterdir():
        if old.name.startswith(FOUND):
            old.unlink()
    begun = time.monotonic()
    log = folder / "log.txt"
    command = [
        sys.executable, "-m", "experiments.fuzz.engine", name,
        "--out", str(out), "--until", str(until), "--seed", str(seed),
    ]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [str(PROJECT), os.getenv("PYTHONPATH")]))}
    with log.open("wb") as output:
        done: int | None
        try:
            limit = max(1.0, until - begun) + LONGEST + STARTING
            done = subprocess.run(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False, timeout=limit
            ).returncode
        except subprocess.TimeoutExpired:
            done = None
    text = log.read_text(errors="replace")
    found = sorted(one for one in folder.iterdir() if one.name.startswith(FOUND) and one.suffix != ".txt")
    found = [one for one in found if not one.name.startswith(SLOW)]
    progress = _PROGRESS.findall(text)
    executions, coverage, features, corpus = map(int, progress[-1][:4]) if progress else (0, 0, 0, 0)
    wrong = None
    if done or not progress:
        wrong = f"it ended with {done}: the end of {log} says why\n" + "\n".join(text.splitlines()[-15:])
    return Fuzzed(name, executions, coverage, features, corpus, time.monotonic() - begun, found, wrong)


def run(names: Sequence[str], seconds: float, out: Path, seed: int) -> int:
    """Fuzz these targets, as many at a time as there are cores, in so many seconds; return 1 for finds, else 0."""
    jobs = min(os.cpu_count() or 1, len(names))
    rounds = -(-len(names) // jobs)
    begun = time.monotonic()
    print(f"{len(names)} targets, {jobs} at a time, {seconds:g} s, seed {seed}", flush=True)

    def one(place: int) -> Fuzzed:
        # Each begins when another has ended: what is left is shared by those that are to come.
        left = begun + seconds - time.monotonic()
        share = left / (rounds - place // jobs)
        result = fuzzed(names[place], out, time.monotonic() + share, seed)
        _tell(result, seed)
        return result

    with ThreadPoolExecutor(jobs) as pool:
        results = list(pool.map(one, range(len(names))))
    bad = [result for result in results if result.found or result.wrong]
    total = sum(result.executions for result in results)
    print(f"{total:,} inputs in {time.monotonic() - begun:.0f} s; something is wrong in {len(bad)} targets", flush=True)
    return 1 if bad else 0


def _tell(one: Fuzzed, seed: int) -> None:
    lines = [
        f"{one.name}: {one.executions:,} inputs in {one.seconds:.0f} s, {one.coverage:,} edges, "
        f"{one.features:,} features, {one.corpus:,} kept"
    ]
    for path in one.found:
        lines.append(f"  FOUND: {Path(sys.executable).name} -m experiments.fuzz.engine {one.name} {path}")
        told = path.with_suffix(".txt")
        if told.exists():
            lines.append(f"    {told.read_text().rstrip().splitlines()[-1][:300]}")
    if one.wrong is not None:
        lines.append(f"  {one.wrong}")
    if one.found or one.wrong:
        lines.append(
            f"  the same changes again: {Path(sys.executable).name} -m experiments.fuzz.run --anew --only {one.name} "
            f"--seed {seed}; once it is mended, keep the input in {CORPUS / one.name}"
        )
    print("\n".join(lines), flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fuzz as the command line says."""
    parser = argparse.ArgumentParser(prog="python -m experiments.fuzz.run", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120.0, help="for all targets together")
    parser.add_argument("--only", action="append", choices=NAMES, help="a target; several times for several")
    parser.add_argument("--seed", type=int, default=None, help="by default anybody's guess")
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"))
    parser.add_argument("--anew", action="store_true", help="forget what earlier runs met")
    given: Any = parser.parse_args(arguments)
    if given.anew:
        shutil.rmtree(given.out, ignore_errors=True)
    seed = SystemRandom().randrange(1, 1 << 31) if given.seed is None else given.seed
    return run(given.only or NAMES, given.seconds, given.out.absolute(), seed)


if __name__ == "__main__":
    sys.exit(main())
