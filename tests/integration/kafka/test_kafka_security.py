"""The security settings of the started Apache Kafka: who may come in does, nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import ACL, ACLOperation, ACLPermissionType, NewTopic, ResourcePattern, ResourceType
from kafka.errors import KafkaError, TopicAuthorizationFailedError

from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.kafka_security import Protocol, Security
from tests.integration.certificates import certificates

pytestmark = pytest.mark.kafka

USERS = {"worker": "worker-secret", "app": "app-secret"}
PATIENCE_MS = 10_000


@pytest.mark.parametrize(("protocol", "mutual"), [("SASL_PLAINTEXT", False), ("SSL", True), ("SASL_SSL", False)])
def test_only_matching_clients_get_in(tmp_path: Path, protocol: Protocol, mutual: bool) -> None:
    security = Security(
        protocol=protocol,
        users=USERS if protocol.startswith("SASL") else {},
        certificates=certificates(tmp_path) if protocol.endswith("SSL") else None,
        demand_client_certificates=mutual,
    )
    with ApacheKafka(tmp_path / "kafka", security=security) as kafka:
        settings = kafka.client_settings()
        create(kafka)
        assert round_trip(settings, settings) == b"decided"
        for wrong in wrong_settings(settings):
            with pytest.raises(KafkaError):
                KafkaAdminClient(**wrong, bootstrap_timeout_ms=2_000)


def test_an_app_may_do_what_its_acl_says_and_no_more(tmp_path: Path) -> None:
    security = Security(protocol="SASL_PLAINTEXT", users=USERS, authorise=True)
    with ApacheKafka(tmp_path, security=security) as kafka:
        create(kafka)
        allow(kafka, "app", ACLOperation.WRITE)
        allow(kafka, "worker", ACLOperation.READ)
        app, worker = kafka.client_settings("app"), kafka.client_settings("worker")
        assert round_trip(app, worker) == b"decided"
        # An idempotent producer would already be refused its id.
        producer = KafkaProducer(**worker, enable_idempotence=False)
        with pytest.raises(TopicAuthorizationFailedError):
            producer.send("impressions", b"forged").get(PATIENCE_MS / 1000)
        producer.close()


def create(kafka: ApacheKafka) -> None:
    client = KafkaAdminClient(bootstrap_servers=kafka.administration)
    client.create_topics([NewTopic("impressions", num_partitions=1, replication_factor=1)])
    client.close()


def allow(kafka: ApacheKafka, user: str, operation: ACLOperation) -> None:
    topic = ResourcePattern(ResourceType.TOPIC, "impressions")
    client = KafkaAdminClient(bootstrap_servers=kafka.administration)
    client.create_acls([ACL(f"User:{user}", "*", operation, ACLPermissionType.ALLOW, topic)])
    client.close()


def round_trip(writer: dict[str, object], reader: dict[str, object]) -> bytes:
    producer = KafkaProducer(**writer)
    producer.send("impressions", b"decided").get(PATIENCE_MS / 1000)
    producer.close()
    consumer = KafkaConsumer("impressions", **reader, auto_offset_reset="earliest", consumer_timeout_ms=PATIENCE_MS)
    value: bytes = next(consumer).value
    consumer.close()
    return value


def wrong_settings(settings: dict[str, object]) -> list[dict[str, object]]:
    """Clients that must not get in: unprotected ones, wrong passwords, those who trust nobody or show nothing."""
    wrong = [{"bootstrap_servers": settings["bootstrap_servers"]}]
    if "sasl_plain_password" in settings:
        wrong.append({**settings, "sasl_plain_password": "guessed"})
    if "ssl_cafile" in settings:
        wrong.append({**settings, "ssl_cafile": None})
    if "ssl_certfile" in settings:
        wrong.append({**settings, "ssl_certfile": None})
    return wrong
