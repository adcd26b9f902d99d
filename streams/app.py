"""The composition root: the topology from top to bottom.

    impressions ─┐
                 ├─ join ─> interactions ─ learn ─> rewards, policies, checkpoints
    feedback  ───┘   (what waits: a windowed table)

Nothing connects at import; `app` is made when Faust asks for it (`faust -A streams.app worker`).
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from faust.types import TP

from groundswell.chunks import is_chunk
from state.segment_table import SegmentTable
from streams.http.endpoints import add_pages
from streams.kafka.batch_writer import BatchWriter
from streams.kafka.compacted_reader import read_newest
from streams.kafka.compression_level import compress_quickly
from streams.kafka.faust_security import faust_credentials, remove_unsafe_codecs
from streams.kafka.patient_clients import make_clients_patient
from streams.kafka.record_batch_app import RecordBatchApp
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.liveness import Pulse
from streams.observing.logs import get_log
from streams.observing.metrics import Metrics
from streams.observing.refusal_log import RefusalLog
from streams.settings import Settings, load_settings
from streams.worker.agents import add_agents, add_clock
from streams.worker.held_partitions import Partitions
from streams.worker.outputs import Outputs
from streams.worker.partition_join import JoinWiring, PartitionJoin
from streams.worker.partition_learner import LearningWiring, PartitionLearner
from streams.worker.process import PunctualWorker
from streams.worker.shard_exchange import add_shard_exchange

LOG = get_log(__name__)
LARGEST_RECORD = 1_048_576
MAX_REQUEST_BYTES = 16_384
"""No page takes a body; whoever sends one is cut off early."""


class Groundswell(RecordBatchApp):
    """The Faust app of one worker, with what is known of the partitions it holds."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings.kafka.group, **_faust_options(settings))
        self.settings = settings
        self.failure: BaseException | None = None
        """Why the worker ends, where it does not because it was told to."""
        self.metrics = Metrics()
        self.partitions = Partitions()
        self.pulse = Pulse(settings.http.stuck_seconds)
        topics = settings.topics
        self.impressions = self.batched_topic(topics.impressions, topics.event_partitions)
        self.feedback = self.batched_topic(topics.feedback, topics.event_partitions)
        self.interactions = self.batched_topic(topics.interactions, topics.interaction_partitions)
        self.refusals = RefusalLog()
        # One at a time, also where a rebalance abandons a restore in the middle: two folds may be too much for memory.
        self._restoring = ThreadPoolExecutor(1, thread_name_prefix="restore")
        self._table = SegmentTable(self, partitions=topics.event_partitions)
        self.tables.add(self._table)
        self._join_wiring = JoinWiring(settings, self._table, self._outputs, self.metrics)
        self._learning_wiring = LearningWiring(
            settings, self._outputs, LearningMetrics(self.metrics, settings.segments), self.standing.kept
        )
        self.on_partitions_revoked.connect(self._let_go)
        self.on_before_shutdown.connect(self._let_go)

    async def crash(self, reason: BaseException) -> None:
        """End the worker; what fails in the course of it is not the reason."""
        self.failure = self.failure or reason
        await super().crash(reason)

    def _outputs(self) -> Outputs:
        return Outputs(BatchWriter(self.kafka_producer), self.settings.topics, self.refusals)

    async def known_positions(self, assignment: set[TP]) -> Mapping[TP, int]:
        """Restore the assigned partitions from what is durable, and say where to read on.

        Joins are folded again from the table at each assignment, even those that were never taken away: the
        table is the truth, and another worker may have held a partition without this one noticing.
        """
        topics, held = self.settings.topics, self.partitions
        positions: dict[TP, int] = {}
        held.keep_only(assignment, topics)
        event_partitions = sorted(tp.partition for tp in assignment if tp.topic == topics.impressions)
        self._table.keep_only(event_partitions)
        for partition in event_partitions:
            async with held.join_lock(partition):
                join = PartitionJoin(partition, self._join_wiring)
                await asyncio.get_running_loop().run_in_executor(self._restoring, join.restore)
                held.joins[partition] = join
                positions[TP(topics.impressions, partition)] = join.impressions.offset
                positions[TP(topics.feedback, partition)] = join.feedback.offset
                LOG.info(
                    "join restored",
                    partition=partition,
                    impressions=join.impressions.offset,
                    feedback=join.feedback.offset,
                )
        interaction_partitions = sorted(tp.partition for tp in assignment if tp.topic == topics.interactions)
        policies = await self._published_policies() if set(interaction_partitions) - set(held.learners) else {}
        for partition in interaction_partitions:
            async with held.learner_lock(partition):
                if partition not in held.learners:
                    newest = await read_newest(self.settings.kafka, topics.checkpoints, partition)
                    learner = held.learners[partition] = PartitionLearner(
                        partition, self._learning_wiring, newest, policies
                    )
                    LOG.info(
                        "learners restored",
                        partition=partition,
                        offset=learner.interactions.offset,
                        policy_version=learner.policy_versions,
                    )
                positions[TP(topics.interactions, partition)] = held.learners[partition].interactions.offset
        return positions

    async def _published_policies(self) -> dict[bytes, bytes | None]:
        """Return the newest record of each model: a policy, or the manifest of one in chunks."""
        return await read_newest(
            self.settings.kafka, self.settings.topics.policies, 0, wanted=lambda key: not is_chunk(key)
        )

    async def _let_go(self, *_: Any, **__: Any) -> None:
        """Finish what is being done, write last checkpoints, and forget what this worker knew of its partitions."""
        held, topics = self.partitions, self.settings.topics
        for partition in list(held.joins):
            async with held.join_lock(partition):
                del held.joins[partition]
                self.metrics.drop_event_partition(partition)
                self.metrics.drop_lag(topics.impressions, partition)
                self.metrics.drop_lag(topics.feedback, partition)
        for partition in list(held.learners):
            async with held.learner_lock(partition):
                learner = held.learners.pop(partition)
                await learner.write_checkpoint()
                await self.commit_offsets({TP(topics.interactions, partition): learner.durable_offset})
                learner.close()
                self.metrics.drop_lag(topics.interactions, partition)
                LOG.info(
                    "learners let go",
                    partition=partition,
                    offset=learner.durable_offset,
                    policy_version=learner.policy_versions,
                )


def _faust_options(settings: Settings) -> dict[str, Any]:
    kafka = settings.kafka
    servers = ";".join(f"aiokafka://{server.strip()}" for server in kafka.bootstrap_servers.split(","))
    return {
        # Faust would otherwise let variables such as WEB_BIND stand above everything below.
        "env": {},
        "Worker": PunctualWorker,
        "broker": servers,
        "broker_credentials": faust_credentials(kafka),
        "key_serializer": "raw",
        "value_serializer": "raw",
        "autodiscover": False,
        "store": "memory://",
        # Nothing that lasts is kept on this machine, but Faust wants a folder.
        "datadir": str(Path(tempfile.gettempdir()) / f"{kafka.group}-{os.getpid()}"),
        "topic_disable_leader": True,
        # `groundswell topics create` makes them all: a worker needs no right to.
        "topic_allow_declare": False,
        "topic_replication_factor": kafka.replication,
        "table_standby_replicas": 0,
        "stream_recovery_delay": 0.0,
        "stream_wait_empty": False,
        # Of batches, not of records: what is read ahead of the join has to fit into memory.
        "stream_buffer_maxsize": 16,
        "broker_session_timeout": kafka.session_timeout,
        "broker_heartbeat_interval": kafka.session_timeout / 5,
        "consumer_group_instance_id": kafka.instance,
        "consumer_auto_offset_reset": "earliest",
        "producer_compression_type": None if kafka.compression == "none" else kafka.compression,
        "producer_max_batch_size": kafka.max_batch_bytes,
        "producer_max_request_size": max(LARGEST_RECORD, 2 * kafka.max_batch_bytes),
        "web_enabled": True,
        "web_bind": settings.http.host,
        "web_host": socket.gethostname() if settings.http.host == "0.0.0.0" else settings.http.host,
        "web_port": settings.http.port,
        "web_application_options": {"client_max_size": MAX_REQUEST_BYTES},
        "web_stats_enabled": False,
        "web_graph_enabled": False,
        "web_router_enabled": False,
        "web_tables_enabled": False,
    }


def create_app(settings: Settings) -> Groundswell:
    """Return the worker's app: topics, table, agents, clock and pages, connected to nothing yet."""
    remove_unsafe_codecs()
    make_clients_patient()
    compress_quickly()
    app = Groundswell(settings)
    add_agents(app)
    add_clock(app)
    add_shard_exchange(app)
    add_pages(app)
    return app


@cache
def _app() -> Groundswell:
    return create_app(load_settings())


def __getattr__(name: str) -> Any:
    if name == "app":
        return _app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
