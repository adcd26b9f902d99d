"""Kafka's access control with exactly the rights that docs/security.md lists, and with one of them less."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kafka import KafkaAdminClient
from kafka.admin import ACL, ACLFilter, ACLOperation, ACLPermissionType, ResourcePattern, ResourceType

from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.kafka_security import Security
from groundswell.client import Policies
from streams.kafka.access_rights import MissingRightError
from streams.kafka.security import security_arguments
from streams.kafka.topics import check_topics
from streams.settings import KafkaSettings, TopicSettings
from tests.integration.secured import ROWS, USERS, CommandLine, rewards, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(300)]

DOCUMENT = Path(__file__).parents[3] / "docs" / "security.md"
Right = tuple[str, str, str, str]
TOPICS = TopicSettings(event_partitions=2, interaction_partitions=1)
SEEN_SECONDS = 10.0


def documented() -> list[Right]:
    """(who, kind of resource, name, operation) as the document lists them."""
    rows = re.findall(
        r"^\| (worker|app|replay|operator) \| (\w+) \| (\S+) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
    return [(who, kind, name, operation) for who, kind, name, listed in rows for operation in listed.split(", ")]


def acl(right: Right) -> ACL:
    who, kind, name, operation = right
    resource = ResourcePattern(ResourceType[kind.upper()], name)
    return ACL(f"User:{who}", "*", ACLOperation[operation.upper()], ACLPermissionType.ALLOW, resource)


def settings(user: str) -> dict[str, str]:
    return {
        "GROUNDSWELL_KAFKA__SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "GROUNDSWELL_KAFKA__SASL_MECHANISM": "SCRAM-SHA-512",
        "GROUNDSWELL_KAFKA__USERNAME": user,
        "GROUNDSWELL_KAFKA__PASSWORD": USERS[user],
    }


def kafka_settings(kafka: ApacheKafka, user: str) -> KafkaSettings:
    given = {name.partition("__")[2].lower(): value for name, value in settings(user).items()}
    return KafkaSettings.model_validate({**given, "bootstrap_servers": kafka.bootstrap_servers})


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    """A broker where everybody may do what is documented, and nothing else."""
    security = Security(protocol="SASL_PLAINTEXT", users=USERS, authorise=True)
    with ApacheKafka(tmp_path / "kafka", security=security) as kafka:
        admin = KafkaAdminClient(bootstrap_servers=kafka.administration)
        admin.create_acls([acl(right) for right in documented()])
        admin.close()
        yield kafka


def test_the_documented_rights_suffice_and_each_is_needed(kafka: ApacheKafka, tmp_path: Path) -> None:
    command = CommandLine(tmp_path, kafka.bootstrap_servers)
    status, output = command.run("topics", "create", settings=settings("operator"))
    assert status == 0, output
    with command.worker(settings("worker")) as worker:
        status, output = command.replay(settings("replay"))
        assert status == 0, output
        wait_for(lambda: rewards(kafka) == ROWS, worker)
        app = security_arguments(kafka_settings(kafka, "app"))
        with Policies(kafka.bootstrap_servers, "news", **app) as policies:
            wait_for(lambda: policies.policy.version == ROWS, worker)
    admin = KafkaAdminClient(bootstrap_servers=kafka.administration)
    for right in documented():
        if right[0] == "worker":
            take_away(admin, right)
            assert missing(kafka, right)
            admin.create_acls([acl(right)])
    take_away(admin, ("worker", "topic", "groundswell-pending-changelog", "Write"))
    status, output = command.run("worker", settings=settings("worker"))
    assert status == 2
    assert "Kafka does not allow user 'worker' to: Write topic groundswell-pending-changelog. Give it" in output
    assert "Traceback" not in output
    admin.close()


def test_who_may_not_make_topics_is_told_which(kafka: ApacheKafka, tmp_path: Path) -> None:
    command = CommandLine(tmp_path, kafka.bootstrap_servers)
    status, output = command.run("topics", "create", settings=settings("app"))
    assert status == 2
    assert "does not allow user 'app' to: Create topic checkpoints; Create topic controls; " in output
    assert "Traceback" not in output


def test_who_may_not_write_is_told_so(kafka: ApacheKafka, tmp_path: Path) -> None:
    command = CommandLine(tmp_path, kafka.bootstrap_servers)
    status, output = command.run("topics", "create", settings=settings("operator"))
    assert status == 0, output
    status, output = command.replay(settings("worker"))
    assert status == 2
    assert "TopicAuthorizationFailedError: impressions" in output
    assert "Traceback" not in output


def take_away(admin: KafkaAdminClient, right: Right) -> None:
    one = acl(right)
    admin.delete_acls([ACLFilter(one.principal, one.host, one.operation, one.permission_type, one.resource_pattern)])


def missing(kafka: ApacheKafka, right: Right) -> bool:
    """Say whether the worker's check comes to name the right; the broker takes a moment to take it away."""
    _, kind, name, operation = right
    deadline = time.monotonic() + SEEN_SECONDS
    while time.monotonic() < deadline:
        try:
            check_topics(kafka_settings(kafka, "worker"), TOPICS)
        except MissingRightError as error:
            if re.search(rf"\b{operation} (and Write )?{kind} {re.escape(name)}\b", str(error)):
                return True
        time.sleep(0.1)
    return False
