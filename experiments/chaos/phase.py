"""One phase of chaos: topics of its own, producers, workers, disturbances, and the wait until all is learned."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
from kafka.errors import KafkaError

from experiments.chaos.audit import Audit, audit
from experiments.chaos.input_logs import CONNECTED
from experiments.chaos.schedule import Disturbance, Moment
from experiments.chaos.topic_contents import committed_offsets, end_offsets, read_all
from experiments.chaos.workers import SupervisedWorker
from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.child_process import ChildProcess
from experiments.servers.embedded_broker import EmbeddedBroker
from groundswell import policy
from groundswell.chunks import assemble
from state import learner_checkpoints
from state.learner_checkpoints import IncompleteError
from streams.kafka.topics import create_topics
from streams.settings import Settings

QUIET_SECONDS = 240.0
"""How long the workers may stand still when everything has been sent and nothing dies any more."""
_TICK = 0.05
_LOOK_SECONDS = 1.0


class ChaosError(Exception):
    """The run cannot go on; the message says why."""


Event = tuple[float, str]
"""Seconds since the beginning, and what happened."""


@dataclass
class Phase:
    """A phase: what flows in `seconds`, and what happens to the workers and the broker meanwhile.

    `worker` is what Python is told to run as a worker, in `workers` processes. `hostile` is the seed of a hostile
    producer beside the honest ones, for whom it is now then and not the past, or None for none. With an embedded broker
    nothing but workers can be disturbed. The rest is told afterwards: what happened, by seconds since the beginning,
    and how many were killed, hung, or ended by themselves.
    """

    kafka: ApacheKafka | EmbeddedBroker
    folder: Path
    settings: Settings
    moments: Sequence[Moment]
    seconds: float
    worker: Sequence[str]
    workers: int = 2
    hostile: int | None = None
    events: list[Event] = field(default_factory=list)
    kills: int = 0
    hangs: int = 0
    crashes: int = 0
    _began: float = 0.0

    def run(self, input_folder: Path) -> Audit:
        """Send the input while things die, wait until all is learned, and return what the topics say."""
        self.folder.mkdir(parents=True, exist_ok=True)
        create_topics(self.settings.kafka, self.settings.topics)
        self._began = time.monotonic()
        with self._running_workers() as workers:
            while not all(worker.ready for worker in workers[: self.workers]):
                self._supervise(workers)
            with self._producers(input_folder) as producers:
                self._disturb(workers, producers)
            self._note("everything is sent; nothing dies any more")
            unfinished = self._wait_until_learned(workers)
            self._note(unfinished or "everything is learned")
            self.hangs = sum(worker.hangs for worker in workers)
            self.crashes = sum(worker.crashes for worker in workers)
        verdict = audit(lambda topic: read_all(self.kafka.bootstrap_servers, topic), self.settings)
        if unfinished is not None:
            verdict.policy_identical = False
            verdict.complaints.append(f"not at an end, nothing more in {QUIET_SECONDS:.0f} s of peace: {unfinished}")
        return verdict

    def _note(self, what: str) -> None:
        self.events.append((round(time.monotonic() - self._began, 2), what))

    @contextmanager
    def _running_workers(self) -> Iterator[list[SupervisedWorker]]:
        """Yield the workers of the phase, and behind them one that comes and goes."""
        environment = {**os.environ, **environment_of(self.settings)}
        workers = [
            SupervisedWorker(name, [sys.executable, *self.worker], environment | own, self.folder, self._note)
            for name, own in self._places()
        ]
        try:
            for worker in workers[: self.workers]:
                worker.start()
            yield workers
        finally:
            for worker in workers:
                worker.leave()
            for worker in workers:
                worker.stop()

    def _places(self) -> Iterator[tuple[str, dict[str, str]]]:
        """Yield the name of each worker, and the variables that it has for itself."""
        # The embedded broker forgets no member by itself: a fixed name lets the same one come back.
        named = isinstance(self.kafka, EmbeddedBroker)
        for number in range(1, self.workers + 2):
            name = f"worker-{number}"
            yield name, {"GROUNDSWELL_KAFKA__INSTANCE": name} if named else {}

    @contextmanager
    def _producers(self, input_folder: Path) -> Iterator[list[ChildProcess]]:
        topics = self.settings.topics
        where = ("--bootstrap-servers", self.kafka.bootstrap_servers, "--seconds", f"{self.seconds:.1f}")
        live = () if self.hostile is None else ("--live",)
        command = (sys.executable, "-m", "experiments.chaos.input_logs", *where, *live)
        commands = {
            f"producer of {topic}": [*command, str(input_folder / file), topic]
            for topic, file in ((topics.impressions, "impressions.jsonl"), (topics.feedback, "feedback.jsonl"))
        }
        if self.hostile is not None:
            commands["hostile producer"] = [
                sys.executable, "-m", "experiments.chaos.hostile_producer", *where,
                "--seed", str(self.hostile), "--models", ",".join(self.settings.models),
                str(input_folder / "impressions.jsonl"), topics.impressions, topics.feedback,
            ]  # fmt: skip
        with ExitStack() as stack:
            yield [
                stack.enter_context(ChildProcess(name, command, log=self.folder / f"{name.replace(' ', '-')}.log"))
                for name, command in commands.items()
            ]

    def _disturb(self, workers: list[SupervisedWorker], producers: list[ChildProcess]) -> None:
        """Let happen what is due, until nothing more is and everything has been sent."""
        due = list(self.moments)
        restarts: list[threading.Thread] = []
        while not all(CONNECTED in producer.tail() for producer in producers):
            self._check(producers)
            self._supervise(workers)
        self._began = time.monotonic()
        while due or any(producer.exit_code is None for producer in producers) or any(r.is_alive() for r in restarts):
            self._check(producers)
            now = time.monotonic() - self._began
            # What has no victim at the moment (it is down already) waits for one, and the rest behind it.
            if due and due[0].at <= now and self._happens(due[0], workers, restarts):
                del due[0]
            self._supervise(workers)
        if workers[-1].wanted:
            workers[-1].leave()

    def _check(self, producers: list[ChildProcess]) -> None:
        for producer in producers:
            if producer.exit_code:
                raise ChaosError(f"the {producer.name} failed:\n{producer.tail()}")

    def _happens(self, moment: Moment, workers: list[SupervisedWorker], restarts: list[threading.Thread]) -> bool:
        match moment.what:
            case Disturbance.KILL | Disturbance.TERMINATE:
                number = signal.SIGKILL if moment.what is Disturbance.KILL else signal.SIGTERM
                # One in four dies while it starts or recovers, the others in the middle of their work.
                starting = moment.choice % 4 == 0
                victims = [worker for worker in workers if worker.running and (worker.ready or starting)]
                if not victims or not (victim := victims[moment.choice // 4 % len(victims)]).send(number):
                    return False
                self.kills += number is signal.SIGKILL
                self._note(f"{moment.what}: {victim.name}")
            case Disturbance.REBALANCE:
                self._note(moment.what)
                third = workers[-1]
                third.leave() if third.wanted else third.start()
            case Disturbance.BROKER_STOP | Disturbance.BROKER_KILL:
                if any(restart.is_alive() for restart in restarts):
                    return False
                self._note(moment.what)
                restarts.append(threading.Thread(target=self._restart_broker, args=(moment.what,)))
                restarts[-1].start()
        return True

    def _restart_broker(self, how: Disturbance) -> None:
        assert isinstance(self.kafka, ApacheKafka)
        node = self.kafka.node()
        node.kill() if how is Disturbance.BROKER_KILL else node.stop()
        self.kafka.start()
        self._note("the broker is back")

    def _supervise(self, workers: list[SupervisedWorker]) -> None:
        for worker in workers:
            worker.supervise()
        time.sleep(_TICK)

    def _wait_until_learned(self, workers: list[SupervisedWorker]) -> str | None:
        """Wait until all input is committed, and checkpoints and policies include all interactions.

        Return what is missing when nothing of it comes for `QUIET_SECONDS`. How long all takes depends on the machine;
        what a worker has committed, written and saved stands, so that this ends.
        """
        deadline = time.monotonic() + QUIET_SECONDS
        look_at, furthest = 0.0, 0
        while True:
            self._supervise(workers)
            if time.monotonic() < look_at:
                continue
            look_at = time.monotonic() + _LOOK_SECONDS
            committed = self._committed()
            unfinished = self._unfinished(committed)
            # Rewards, policies and checkpoints do not count: who dies at one place writes them again and again.
            if (reached := sum(sum(of_topic.values()) for of_topic in committed.values())) > furthest:
                furthest, deadline = reached, time.monotonic() + QUIET_SECONDS
            if unfinished is None or time.monotonic() > deadline:
                return unfinished

    def _committed(self) -> dict[str, dict[int, int]]:
        """Return how far the workers are with topics of events, by partition; nothing where the broker is silent."""
        servers, topics = self.kafka.bootstrap_servers, self.settings.topics
        try:
            return {
                topic: committed_offsets(servers, self.settings.kafka.group, topic)
                for topic in (topics.impressions, topics.feedback)
            }
        except KafkaError:
            return {}

    def _unfinished(self, committed: Mapping[str, Mapping[int, int]]) -> str | None:
        """Return what still has to come of what was `committed`, by topic and partition, or None at the end."""
        servers, topics = self.kafka.bootstrap_servers, self.settings.topics
        try:
            for topic in (topics.impressions, topics.feedback):
                done = committed.get(topic, {})
                if behind := {p: end for p, end in end_offsets(servers, topic).items() if done.get(p, 0) < end}:
                    return f"{topic}: {done} committed of {behind}"
            newest: dict[bytes, bytes | None] = {}
            for entries in read_all(servers, topics.policies).values():
                newest |= {entry.key or b"": entry.value for entry in entries}
            log = read_all(servers, topics.checkpoints)
        except KafkaError as error:
            return f"the broker says {error!r}"
        for partition, end in end_offsets(servers, topics.interactions).items():
            if end == 0:
                continue
            try:
                stored = learner_checkpoints.stored({entry.key or b"": entry.value for entry in log[partition]})
            except IncompleteError:
                stored = None
            checkpoint = stored and stored.checkpoint
            if checkpoint is None or checkpoint.offset < end:
                return f"{topics.interactions}[{partition}]: checkpoint at {checkpoint and checkpoint.offset} of {end}"
            for model, state in checkpoint.models.items():
                content, _ = assemble(model.encode(), newest)
                if content is None or policy.decode(content).version < state["interactions_included"]:
                    return f"the last policy of {model} is not out"
        return None


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the variables under which a worker has these settings."""
    sections = settings.model_dump(mode="json", by_alias=True)
    variables = {
        f"GROUNDSWELL_{name.upper()}": _json(sections[name]) for name in ("topics", "join", "learning", "models")
    }
    kafka = settings.kafka
    return {
        **variables,
        "KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "GROUNDSWELL_KAFKA__GROUP": kafka.group,
        "GROUNDSWELL_KAFKA__SESSION_TIMEOUT": str(kafka.session_timeout),
    }


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()
