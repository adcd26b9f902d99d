"""Contenders in turns, so that what else the machine does falls on all of them; the broker is on another core."""

from __future__ import annotations

import os
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from rich.console import Console

from experiments.bench.contenders import ours, peer
from experiments.bench.race import CORES, Measured, race
from experiments.bench.workload import Logs
from experiments.servers.apache_kafka import ApacheKafka

PATIENCE: Final = 120.0
"""Seconds that one run of one contender may take."""


def take_turns(
    ours_is: str, shares: Mapping[str, float], count: int, runs: int, out: Path, *, profile: bool
) -> Mapping[str, Sequence[Measured]]:
    """Run our worker, as `join` or `pipeline`, and the peers `runs` times each; return what was measured by name.

    `shares` says which share of the `count` impressions each peer gets: what takes ten times as long need not do as
    much. With `profile`, where our time goes is written to `out`.
    """
    console = Console()
    logs = {share: Logs(max(1_000, round(share * count))) for share in {1.0, *shares.values()}}
    measured: defaultdict[str, list[Measured]] = defaultdict(list)
    with broker_on_its_own_core() as (servers, kept):
        for run in range(runs):
            for name in ("groundswell", *shares):
                if name == "groundswell":
                    contender, inputs = ours(ours_is, run, servers, kept)
                else:
                    contender, inputs = peer(name, run, servers)
                stacks = out / f"profile-{run}.txt" if profile and name == "groundswell" else None
                log = out / f"{contender.name.replace(' ', '-')}-{run}.log"
                one = race(contender, inputs, logs[shares.get(name, 1.0)], log, PATIENCE, profile=stacks)
                measured[name].append(one)
                rates = f"{one.per_second:,.0f} a second, {one.per_cpu_second:,.0f} a CPU second"
                console.print(f"{run + 1}/{runs} {contender.name}: {rates}")
    return measured


@contextmanager
def broker_on_its_own_core() -> Iterator[tuple[str, Path]]:
    """Run Apache Kafka, and this process, on the first core; yield its address and a folder for the block."""
    here = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {CORES[0]})
    try:
        with tempfile.TemporaryDirectory() as kept, ApacheKafka(Path(kept) / "kafka", heap_mebibytes=1024) as kafka:
            yield kafka.bootstrap_servers, Path(kept)
    finally:
        os.sched_setaffinity(0, here)
