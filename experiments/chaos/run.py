"""`groundswell chaos`: nothing lost, nothing learned twice, whatever dies, on a real Apache Kafka.

Two phases. In the first a fixed file goes through one partition, and the last policy has to be, byte for byte, that
of an undisturbed run of the same file. In the second several models go through many partitions, and the last policies
have to be those of pure learners folded over the interactions.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from experiments.chaos.audit import Audit
from experiments.chaos.input_logs import write_input
from experiments.chaos.phase import Event, Phase
from experiments.chaos.schedule import schedule
from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.embedded_broker import EmbeddedBroker
from processors.join.config import JoinConfig
from processors.models.config import ModelConfig
from streams.settings import KafkaSettings, LearningSettings, Settings, TopicSettings

SPACING = 5.0
"""Seconds between disturbances, on average."""
SESSION_TIMEOUT = 4.0
EMBEDDED_SESSION_TIMEOUT = 10.0
"""The embedded broker takes no shorter one."""
JOIN = JoinConfig(wait=2.0, grace=0.5, backward=1.0, remember=20.0, idle=None)
LIVE_JOIN = JoinConfig(wait=15.0, grace=2.0, backward=1.0, remember=60.0, idle=None)
"""Beside a hostile producer: where it is now, what a broker's restart holds up must not be late by it."""
LEARNING = LearningSettings(publish_interactions=250, publish_seconds=1.0, checkpoint_seconds=1.0)
MODELS = ("feed", "news", "shop")
WORKER = ("-m", "streams.cli", "worker")


class PhaseResult(msgspec.Struct):
    """What happened in one phase, and what became of it.

    `crashes` are ends of workers that nobody asked for; `hangs` are workers that had to be killed for that.
    """

    name: str
    kills: int
    crashes: int
    hangs: int
    seconds: float
    audit: Audit
    events: list[Event]


class Results(msgspec.Struct):
    """The contents of results.json. Numbers are sums over the disturbed phases."""

    seed: int
    kills: int
    impressions: int
    learned_once: int
    lost: int
    learned_twice: int
    policy_identical: bool
    clean: bool
    seconds: float
    phases: list[PhaseResult]


def run_chaos(
    kills: int,
    seed: int,
    impressions: int,
    out: Path,
    *,
    hostile: bool = False,
    embedded: bool = False,
    plant: str | None = None,
    spacing: float = SPACING,
    console: Console,
) -> int:
    """Run everything, write `out`/results.json, and return the exit code: 0 where nothing is wrong.

    `hostile` puts a hostile producer beside those of the second phase. `embedded` takes the embedded broker in the
    place of Apache Kafka: one worker dies again and again, and nothing else does. `plant` names a fault of
    `planted_faults` that the workers have, for the audit of the second phase to find.
    """
    out = out.absolute()
    # A folder of a run before would have its topics, and a worker that has already died.
    shutil.rmtree(out / "broker", ignore_errors=True)
    died = out / "died"
    died.unlink(missing_ok=True)
    worker = WORKER if plant is None else ("-m", "experiments.chaos.planted_faults", plant, str(died))
    began = time.monotonic()
    # One phase suffices to find a planted fault; otherwise everything is shared between the two.
    few, fewer = (0, 0) if plant else (impressions // 2, kills // 2)
    one = _input(out / "one", few, MODELS[:1], seed, JOIN)
    many = _input(out / "many", impressions - few, MODELS, seed, LIVE_JOIN if hostile else JOIN)
    with EmbeddedBroker(out / "broker") if embedded else ApacheKafka(out / "broker") as kafka:

        def run(name: str, folder: Path, kills: int, partitions: int, hostile: int | None = None) -> PhaseResult:
            moments = schedule(kills, f"{seed} {name}", spacing, workers_only=embedded)
            join = JOIN if hostile is None else LIVE_JOIN
            settings = chaos_settings(name, kafka, partitions, join)
            console.print(f"{name}: {len(moments)} disturbances in about {len(moments) * spacing:.0f} s")
            seconds = len(moments) * spacing
            workers = 2 if kills and not embedded else 1
            return _result(Phase(kafka, out / name, settings, moments, seconds, worker, workers, hostile), folder)

        undisturbed = [] if plant else [run("undisturbed", one, 0, 1)]
        phases = [] if plant else [run("one-partition", one, fewer, 1)]
        phases.append(run("many-partitions", many, kills - fewer, 4, seed if hostile else None))
    for calm, disturbed in zip(undisturbed, phases, strict=False):
        if calm.audit.policies != disturbed.audit.policies:
            disturbed.audit.policy_identical = False
            disturbed.audit.complaints.append("the last policy is not that of the undisturbed run")
    results = Results(
        seed=seed,
        kills=sum(phase.kills for phase in phases),
        impressions=sum(phase.audit.impressions for phase in phases),
        learned_once=sum(phase.audit.learned_once for phase in phases),
        lost=sum(phase.audit.lost for phase in phases),
        learned_twice=sum(phase.audit.learned_twice for phase in phases),
        policy_identical=all(phase.audit.policy_identical for phase in phases),
        clean=all(phase.audit.clean for phase in [*undisturbed, *phases]),
        seconds=round(time.monotonic() - began, 1),
        phases=[*undisturbed, *phases],
    )
    (out / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    _report(results, console)
    return 0 if results.clean else 1


def _input(folder: Path, impressions: int, models: Sequence[str], seed: int, join: JoinConfig) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    write_input(folder, impressions, models, seed, join)
    return folder


def chaos_settings(name: str, kafka: ApacheKafka | EmbeddedBroker, partitions: int, join: JoinConfig) -> Settings:
    """Return the settings of a phase, with topics and a group of its own."""
    topics = {
        topic: f"{name}-{topic}" for topic, value in TopicSettings().model_dump().items() if isinstance(value, str)
    }
    seconds = SESSION_TIMEOUT if isinstance(kafka, ApacheKafka) else EMBEDDED_SESSION_TIMEOUT
    return Settings(
        kafka=KafkaSettings(bootstrap_servers=kafka.bootstrap_servers, group=name, session_timeout=seconds),
        topics=TopicSettings(event_partitions=partitions, interaction_partitions=partitions, **topics),
        join=join,
        learning=LEARNING,
        models={model: ModelConfig(name=model, definitely_negative=frozenset({"dislike"})) for model in MODELS},
    )


def _result(phase: Phase, input_folder: Path) -> PhaseResult:
    began = time.monotonic()
    verdict = phase.run(input_folder)
    seconds = round(time.monotonic() - began, 1)
    return PhaseResult(phase.folder.name, phase.kills, phase.crashes, phase.hangs, seconds, verdict, phase.events)


def _report(results: Results, console: Console) -> None:
    hostile = any(phase.audit.honest < phase.audit.impressions or phase.audit.refused for phase in results.phases)
    table = Table("phase", "kills", "impressions", *(("honest", "refused") if hostile else ()))
    for column in ("learned once", "lost", "twice", "repeated", "policy identical", "s"):
        table.add_column(column)
    for phase in results.phases:
        found = phase.audit
        of_others = (found.honest, found.refused) if hostile else ()
        learned = (found.learned_once, found.lost, found.learned_twice, found.repeated)
        numbers = (phase.kills, found.impressions, *of_others, *learned)
        table.add_row(phase.name, *map(str, numbers), str(found.policy_identical), f"{phase.seconds:.0f}")
        for complaint in found.complaints:
            console.print(f"[bold red]{phase.name}:[/] {complaint}", highlight=False)
    console.print(table)
