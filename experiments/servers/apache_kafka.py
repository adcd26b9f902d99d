"""Apache Kafka without Docker: a KRaft cluster of one or three nodes on the loopback, for tests and chaos runs.

    with ApacheKafka(directory) as kafka:
        KafkaProducer(**kafka.client_settings())

The data and the ports stay in `directory`: a later `ApacheKafka(directory)` carries on with them.
`groundswell kafka` runs one in the foreground.
"""

from __future__ import annotations

import base64
import errno
import json
import os
import random
import socket
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from experiments.servers.kafka_distribution import KafkaUnavailableError, jars, java
from experiments.servers.kafka_node import HOST, KafkaNode, Ports
from experiments.servers.kafka_security import Security

_PORT_RANGE = range(20_000, 32_000)
"""Below what the kernel gives to outgoing connections: while a broker is down, a client that keeps trying to
reach it on a port of that range ends up connected to itself, and the broker cannot come back."""


class ApacheKafka:
    """A cluster that can be started, stopped, and killed node by node, numbered from 1.

    Clients find it at `port` and the ones after it, by default at free ports. `properties` are lines of
    server.properties that replace the ones chosen here (quick to start, small).
    `heap_mebibytes` is each node's. `start` raises `KafkaUnavailableError` where Java, Maven or the jars are
    missing, where a port cannot be had, or where a node does not come up within `patience` seconds, with the end of its
    log.
    """

    def __init__(
        self,
        directory: Path,
        brokers: int = 1,
        *,
        port: int | None = None,
        security: Security | None = None,
        properties: Mapping[str, str] | None = None,
        heap_mebibytes: int = 512,
        patience: float = 60.0,
    ) -> None:
        if brokers not in {1, 3}:
            raise ValueError(f"{brokers} brokers: 1, or 3 for a quorum that survives the loss of one")
        self.directory = directory.absolute()
        self.security = security or Security()
        self._heap = heap_mebibytes
        self._patience = patience
        self._own_properties = dict(properties or {})
        self._cluster_id, self._ports = self._identity(brokers, port)
        self._nodes: list[KafkaNode] = []

    @property
    def bootstrap_servers(self) -> str:
        """The addresses for clients, under the security asked for."""
        return ",".join(f"{HOST}:{ports.client}" for ports in self._ports)

    @property
    def administration(self) -> str:
        """Addresses that are plain text and unrestricted whatever the security: to set ACLs, and to look on."""
        return ",".join(f"{HOST}:{ports.internal}" for ports in self._ports)

    def client_settings(self, user: str | None = None) -> dict[str, Any]:
        """Return what any kafka-python client needs to connect (as `user`, by default the first)."""
        return {"bootstrap_servers": self.bootstrap_servers, **self.security.client_settings(user)}

    def node(self, number: int = 1) -> KafkaNode:
        """Return one node, to `kill`, `stop` or `start`; `wait_until_ready` tells when it is back."""
        return self._nodes[number - 1]

    def start(self) -> None:
        """Format what is not formatted yet, start every node that is down, and wait until all answer.

        Raises `KafkaUnavailableError` where one of the ports cannot be had.
        """
        if not self._nodes:
            self._refuse_ports(self._ports)
            command = [java(), f"-Xmx{self._heap}m", "-XX:+UseSerialGC", "-cp", f"{jars()}/*"]
            self._nodes = [
                KafkaNode(number, self.directory / f"node-{number}", ports, command)
                for number, ports in enumerate(self._ports, start=1)
            ]
            with ThreadPoolExecutor() as pool:
                list(pool.map(self._format, self._nodes))
        for node in self._nodes:
            node.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def _refuse_ports(self, of: Sequence[Ports]) -> None:
        """Refuse ports at which no node could listen.

        What answers there would be taken for the cluster that is started, and that cannot come up beside it.
        """
        for each in of:
            for name, port in vars(each).items():
                wrong = _refusal_to_listen(port)
                if wrong is None:
                    continue
                # The other ports were drawn once, and each node knows those of all.
                another = "another port (--port)" if name == "client" else "another folder (--directory)"
                if wrong == errno.EADDRINUSE:
                    raise KafkaUnavailableError(
                        f"port {port} of {HOST} is taken: by another Kafka perhaps, or one of {self.directory} "
                        f"whose launcher was killed. Stop that, or choose {another}"
                    )
                raise KafkaUnavailableError(
                    f"port {port} of {HOST} cannot be listened at ({os.strerror(wrong)}): choose {another}; those "
                    "below 1024 are for administrators alone, mostly"
                )

    def stop(self) -> None:
        """Stop all nodes tidily, at once; the data stays."""
        for node in self._nodes:
            node.ask_to_stop()
        for node in self._nodes:
            node.stop()

    def wait_until_ready(self) -> None:
        """Return when every node that was started takes part in the cluster.

        Raises `KafkaUnavailableError` if one ends, or if `patience` runs out.
        """
        deadline = time.monotonic() + self._patience
        started = [node for node in self._nodes if node.running]
        while not self._answers(started):
            for node in started:
                if not node.running:
                    self._refuse_ports([node.ports])  # somebody may have taken one meanwhile
                    raise KafkaUnavailableError(
                        f"node {node.number} ended while starting. What it said last ({node.log}) says why:\n"
                        f"{node.last_words()}"
                    )
            if time.monotonic() > deadline:
                words = "\n".join(node.last_words() for node in started)
                raise KafkaUnavailableError(
                    f"Apache Kafka did not answer within {self._patience:.0f} s. Is the machine busy, or short of "
                    f"memory (it takes {self._heap} MB a node)? Start it again when it is not. Its last words:\n{words}"
                )
            time.sleep(0.05)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self, nodes: list[KafkaNode]) -> bool:
        if not all(_listening(node.ports.client) and _listening(node.ports.internal) for node in nodes):
            return False
        try:
            client = KafkaAdminClient(bootstrap_servers=self.administration, request_timeout_ms=5_000)
        except KafkaError:
            return False
        try:
            known = {broker["broker_id"] for broker in client.describe_cluster()["brokers"]}
        except KafkaError:
            return False
        finally:
            client.close()
        return {node.number for node in nodes} <= known

    def _identity(self, brokers: int, port: int | None) -> tuple[str, list[Ports]]:
        """Read the cluster's id and ports from the directory, or choose them and write them there.

        Clients' ports are taken from `port` on, whatever they were; all others stay.
        """
        path = self.directory / "cluster.json"
        if path.exists():
            known = json.loads(path.read_text())
            ports = [Ports(**each) for each in known["ports"]]
            if len(ports) != brokers:
                raise ValueError(f"{self.directory} holds a cluster of {len(ports)} brokers, not {brokers}")
            return known["id"], _moved(ports, port)
        chosen = _free_ports(3 * brokers)
        ports = [Ports(*chosen[3 * at : 3 * at + 3]) for at in range(brokers)]
        identity = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # Kafka's own tools would take a leading dash for an option.
        identity = identity.replace("-", "_")
        self.directory.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"id": identity, "ports": [vars(each) for each in ports]}))
        return identity, _moved(ports, port)

    def _format(self, node: KafkaNode) -> None:
        node.format(self._cluster_id, self._properties(node), self.security.format_arguments())

    def _properties(self, node: KafkaNode) -> dict[str, str]:
        copies = str(len(self._ports))
        in_sync = "2" if len(self._ports) > 1 else "1"
        return {
            "node.id": str(node.number),
            "process.roles": "broker,controller",
            "controller.quorum.voters": ",".join(
                f"{number}@{HOST}:{ports.controller}" for number, ports in enumerate(self._ports, start=1)
            ),
            "listeners": (
                f"CLIENT://{HOST}:{node.ports.client},INTERNAL://{HOST}:{node.ports.internal},"
                f"CONTROLLER://{HOST}:{node.ports.controller}"
            ),
            "listener.security.protocol.map": (
                f"CLIENT:{self.security.protocol},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT"
            ),
            "inter.broker.listener.name": "INTERNAL",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": str(node.folder / "log"),
            # Topics are made on purpose, with the partition counts of the contract.
            "auto.create.topics.enable": "false",
            "default.replication.factor": copies,
            "min.insync.replicas": in_sync,
            "offsets.topic.replication.factor": copies,
            "offsets.topic.num.partitions": "3",
            "transaction.state.log.replication.factor": copies,
            "transaction.state.log.min.isr": in_sync,
            "transaction.state.log.num.partitions": "3",
            "share.coordinator.state.topic.replication.factor": copies,
            "share.coordinator.state.topic.min.isr": in_sync,
            "share.coordinator.state.topic.num.partitions": "1",
            # A production group waits for latecomers; a test would only wait.
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            # A node killed and started again is refused until its former self has been given up.
            "broker.session.timeout.ms": "3000",
            "broker.heartbeat.interval.ms": "500",
            **self.security.broker_properties(),
            **self._own_properties,
        }


def _moved(ports: list[Ports], port: int | None) -> list[Ports]:
    return ports if port is None else [replace(each, client=port + at) for at, each in enumerate(ports)]


def _refusal_to_listen(port: int) -> int | None:
    """Return the number of the error that listening at a port meets, None where nothing is in the way."""
    with socket.socket() as probe:
        # As Java does: connections of a node that has just ended are not in the way of the next one.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error.errno
    return None


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((HOST, port)) == 0


def _free_ports(count: int) -> list[int]:
    free: list[int] = []
    for port in random.sample(_PORT_RANGE, len(_PORT_RANGE)):
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
        free.append(port)
        if len(free) == count:
            return free
    raise KafkaUnavailableError(f"no {count} free ports between {_PORT_RANGE.start} and {_PORT_RANGE.stop}")
