"""What Faust is told: nothing is taken from its environment, nothing made, and nothing served but our own pages."""

from __future__ import annotations

import socket
from typing import Any, Final

from streams.compression import codec
from streams.kafka.faust_security import faust_credentials
from streams.settings import Settings

LARGEST_RECORD: Final = 1_048_576


def faust_options(settings: Settings) -> dict[str, Any]:
    """Return how a worker's app is set up, whatever the environment says."""
    kafka = settings.kafka
    servers = ";".join(f"aiokafka://{server.strip()}" for server in kafka.bootstrap_servers.split(","))
    return {
        # Faust would otherwise let variables such as WEB_BIND stand above everything below.
        "env": {},
        "broker": servers,
        "broker_credentials": faust_credentials(kafka),
        "key_serializer": "raw",
        "value_serializer": "raw",
        "autodiscover": False,
        "store": "memory://",
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
        "producer_compression_type": codec(kafka.compression),
        "producer_max_batch_size": kafka.max_batch_bytes,
        "producer_max_request_size": max(LARGEST_RECORD, 2 * kafka.max_batch_bytes),
        "web_enabled": True,
        "web_bind": settings.http.host,
        "web_host": socket.gethostname() if settings.http.host == "0.0.0.0" else settings.http.host,
        "web_port": settings.http.port,
        "web_stats_enabled": False,
        "web_graph_enabled": False,
        "web_router_enabled": False,
        "web_tables_enabled": False,
    }
