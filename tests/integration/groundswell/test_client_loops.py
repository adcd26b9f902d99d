"""The apps in clients/, each in its language, against Apache Kafka: they act as the control says, and log it."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.consumer.fetcher import ConsumerRecord

from experiments.servers.apache_kafka import ApacheKafka
from groundswell import controls, policy
from groundswell.chunks import CHUNK_BYTES, split
from groundswell.controls import Canary, Control, Mode, pinned_key
from groundswell.events import Action, FeatureValue
from groundswell.exploration import Exploration
from groundswell.features import CONSTANT_HASH, action_features, context_features, crossed, hashed
from groundswell.policy import InDoubt, PolicySnapshot, Weights
from processors.admission.event_records import Admission
from processors.join.entries import ObservedFeedback, ShownImpression
from streams.worker.outputs import contract_partition
from tests.factories import admitted, models
from tests.integration.workers import TOPICS, with_topics
from tests.policy_decisions import close_to, probabilities, undoubted

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(600)]

CLIENTS = Path(__file__).parents[3] / "clients"
ACTIONS = [Action("news"), Action("sport", {"length": 3}), Action("music")]
PATIENCE = 60.0
VERSIONS = itertools.count(1)
"""Of all policies that lie on the topic: what one app has left there is old to the next."""
CONTROLS = itertools.count(1)
"""Versions of all controls, as well."""
HALF = Canary("user", 50)
"""With b😀b in it, and without ann."""


def context_of(user: str) -> dict[str, FeatureValue]:
    return {"user": user, "returning": True, "hour": 9}


def published(exploration: Exploration, in_doubt: InDoubt, *, padding: int = 0) -> PolicySnapshot:
    """Return a policy with a weight for all that the apps know, and as many more as `padding` says."""
    features = [g for user in ("ann", "b😀b") for g, _ in context_features(context_of(user), True)]
    keys = {crossed(g, h) % 2**22 for g in features for action in ACTIONS for h, _ in action_features(action)}
    indices = sorted(keys | set(range(padding)))
    return PolicySnapshot(
        model="feed",
        version=next(VERSIONS),
        parent=None,
        bits=22,
        context_crosses=True,
        shared_weights=False,
        constant_beside_numbers=True,
        exploration=exploration,
        in_doubt=in_doubt,
        bandit=Weights(indices, [(index % 17 - 8) / 64 for index in indices]),
        inverse_kinematics=None,
        configuration="",
    )


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with ApacheKafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield with_topics(kafka.bootstrap_servers)


def python(folder: Path) -> tuple[list[str], Path]:
    return [sys.executable, "loop.py"], folder


def javascript(folder: Path) -> tuple[list[str], Path]:
    made(["npm", "install", "--silent", "--no-audit", "--no-fund"], folder / "example")
    return ["node", "loop.mjs"], folder / "example"


def java(folder: Path) -> tuple[list[str], Path]:
    packed = ["package", "dependency:copy-dependencies", "-DincludeScope=runtime", "-Dmaven.test.skip=true"]
    made(["mvn", "--quiet", "--batch-mode", *packed], folder)
    return ["java", "-cp", "target/classes:target/dependency/*", "Loop"], folder / "example"


def go(folder: Path) -> tuple[list[str], Path]:
    told = (
        subprocess.run(["go", "version"], capture_output=True, text=True, check=False) if shutil.which("go") else None
    )
    found = re.search(r"go(\d+)\.(\d+)", told.stdout) if told else None
    if found is None or (int(found[1]), int(found[2])) < (1, 21):
        pytest.skip("no Go on the PATH that fetches the release which is needed (1.21 or newer)")
    made(["go", "build", "-o", "loop", "."], folder / "example")
    return ["./loop"], folder / "example"


def made(command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]} on the PATH")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


class App:
    """One of the programs, and what it has sent."""

    def __init__(self, command: list[str], folder: Path, servers: str) -> None:
        self._consumer = KafkaConsumer(TOPICS.impressions, TOPICS.feedback, bootstrap_servers=servers, group_id=None)
        while not self._consumer.assignment():
            self._consumer.poll(100)
        self._consumer.seek_to_end()
        for place in self._consumer.assignment():
            self._consumer.position(place)
        self.sent: list[ConsumerRecord] = []
        path = os.pathsep.join([str(CLIENTS.parent), os.environ.get("PYTHONPATH", "")])
        environment = {**os.environ, "KAFKA_BOOTSTRAP_SERVERS": servers, "PYTHONPATH": path}
        self._log = (folder / "log").open("w+")
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=self._log, stderr=self._log, text=True
        )

    def visit(self, line: str) -> list[dict[str, Any]]:
        """Return the messages that follow from a visit: an impression, and feedback if the line has any."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        expected, deadline = len(self.sent) + len(line.split()), time.monotonic() + PATIENCE
        before = len(self.sent)
        while len(self.sent) < expected:
            self.sent += [one for records in self._consumer.poll(200).values() for one in records]
            assert time.monotonic() < deadline, self.said()
            assert self.process.poll() is None, self.said()
        messages = [json.loads(record.value) for record in self.sent[before:]]
        return sorted(messages, key=lambda message: "feedback_id" in message)

    def end(self) -> int:
        """Let the program come to its end; return its exit code."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            return self.process.wait(PATIENCE)
        finally:
            self.process.kill()
            self._consumer.close()

    def said(self) -> str:
        self._log.seek(0)
        return self._log.read()


class Writer:
    """Writes policies and controls, with what is to be passed over behind each."""

    def __init__(self, servers: str) -> None:
        self._producer = KafkaProducer(bootstrap_servers=servers, compression_type="zstd")

    def policy(self, snapshot: PolicySnapshot) -> None:
        self._write(TOPICS.policies, split(b"feed", policy.encode(snapshot), 0)[0])
        self._write(TOPICS.policies, [(b"feed", b'{"version": 9}'), (b"other", b"{}")])

    def control(self, mode: Mode, beside: PolicySnapshot | None = None, canary: Canary | None = None) -> None:
        named = None if beside is None else beside.version
        told = Control(
            schema_version=1, model="feed", version=next(CONTROLS), mode=mode, by="ann", at=1, why="so",
            canary=canary, policy_version=named,
        )  # fmt: skip
        if beside is not None:
            self._write(TOPICS.controls, split(pinned_key("feed"), policy.encode(beside), 0)[0])
        self._write(TOPICS.controls, [(b"feed", controls.encode(told)), (b"feed", b'{"mode": "online"}')])

    def close(self) -> None:
        self._write(TOPICS.policies, [(b"feed", None)])
        self._producer.close()

    def _write(self, topic: str, records: Sequence[tuple[bytes, bytes | None]]) -> None:
        for key, value in records:
            self._producer.send(topic, key=key, value=value, partition=0)
        self._producer.flush()


def played(message: dict[str, Any], snapshot: PolicySnapshot, *, in_doubt: bool) -> None:
    """Assert that an impression is played by a policy, with its doubt or without."""
    decision = snapshot, message["context"], ACTIONS
    assert message["policy_version"] == snapshot.version
    assert message["probabilities"] == close_to(probabilities(decision))
    assert (min(message["probabilities"]) > min(undoubted(decision)) + 0.01) == in_doubt


def goes_by_controls(app: App, writer: Writer, newest: PolicySnapshot, older: PolicySnapshot) -> None:
    """Assert that an app that runs acts by an older policy, and then by the newest for some people only."""

    def visited(user: str, mode: Mode) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE
        while (impression := app.visit(user)[0]).get("mode") != mode:
            assert time.monotonic() < deadline, app.said()
        return impression

    writer.control("frozen", beside=older)
    played(visited("b😀b", "frozen"), older, in_doubt=True)
    writer.control("canary", canary=HALF)
    within, outside = visited("b😀b", "canary"), visited("ann", "canary")
    assert (within["side"], outside["side"]) == ("canary", "rest")
    played(within, newest, in_doubt=True)
    assert outside.get("policy_version") is None
    assert outside["probabilities"] == [1 / 3] * 3


@pytest.mark.parametrize("language", [python, javascript, java, go])
def test_an_app_follows_policies_and_controls_and_logs_what_it_plays(
    language: Any, servers: str, tmp_path: Path
) -> None:
    copied = tmp_path / language.__name__
    unwanted = shutil.ignore_patterns("node_modules", "target")
    shutil.copytree(CLIENTS / language.__name__, copied, ignore=unwanted)
    command, folder = language(copied)
    writer = Writer(servers)
    other = InDoubt(0.9, [hashed("user=b😀b")])
    first = published(Exploration("squarecb", 20.0), InDoubt(0.6, [CONSTANT_HASH]))
    large = published(Exploration("softmax", 0.7), other, padding=150_000)
    last = published(Exploration("epsilon-greedy", 0.3), other)  # and ann comes, who is not concerned
    assert len(policy.encode(large)) > CHUNK_BYTES
    writer.policy(first)
    writer.control("online")
    app = App(command, folder, servers)
    try:
        for snapshot, user in ((first, "ann"), (large, "b😀b"), (last, "ann")):
            if snapshot is not first:  # that was there before the app
                writer.policy(snapshot)
            deadline = time.monotonic() + PATIENCE
            while (messages := app.visit(f"{user} click"))[0].get("policy_version", 0) < snapshot.version:
                assert time.monotonic() < deadline, app.said()
            impression, feedback = messages
            played(impression, snapshot, in_doubt=snapshot is not last)
            assert "mode" not in impression
            assert (feedback["impression_id"], feedback["signal"]) == (impression["impression_id"], "click")
        goes_by_controls(app, writer, last, large)
    finally:
        code = app.end()
    assert code == 0, app.said()
    admission = Admission(models("feed"), max_ahead_ms=60_000)
    for record in app.sent:
        assert record.partition == contract_partition(record.key, TOPICS.event_partitions)
        place = record.key, record.value, record.offset, record.timestamp
        if record.topic == TOPICS.impressions:
            assert isinstance(admitted(admission.impressions, *place), ShownImpression)
        else:
            assert isinstance(admitted(admission.feedback, *place), ObservedFeedback)
    writer.close()
