"""What Kafka's access control has to allow, and what of it is missing.

docs/security.md lists the same for people; a test compares them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from kafka import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, GroupAuthorizationFailedError, TopicAuthorizationFailedError

from streams.kafka.security import SecurityError
from streams.settings import KafkaSettings, TopicSettings

COORDINATOR_SECONDS = 10.0
"""How long a new cluster may take to make its first group coordinator."""
READ, WRITE = "READ", "WRITE"


class MissingRightError(SecurityError):
    """Kafka's access control does not allow what is needed."""


def changelog_topic(kafka: KafkaSettings) -> str:
    """Return the name of the topic behind the table of pending impressions: Faust's way of naming it."""
    return f"{kafka.group}-pending-changelog"


def worker_rights(kafka: KafkaSettings, topics: TopicSettings) -> dict[str, set[str]]:
    """Return what a worker has to be allowed on each topic. It has to be allowed to read in its group as well."""
    return {
        topics.impressions: {READ},
        topics.feedback: {READ},
        changelog_topic(kafka): {READ, WRITE},
        topics.interactions: {READ, WRITE},
        topics.rewards: {WRITE},
        topics.policies: {READ, WRITE},
        topics.checkpoints: {READ, WRITE},
        topics.signal_worth: {WRITE},
        topics.late_feedback: {WRITE},
        topics.dead_letter: {WRITE},
    }


def check_rights(admin: KafkaAdminClient, kafka: KafkaSettings, rights: Mapping[str, set[str]]) -> None:
    """Check that the user has these rights on topics and may read in the group.

    Raises `MissingRightError` with all that is missing. Brokers that keep no account of rights allow everything.
    """
    missing = []
    for topic in admin.describe_topics(list(rights)):
        needed = rights[topic["name"]]
        if topic["error_code"] == TopicAuthorizationFailedError.errno:
            missing.append(f"{_words(needed)} topic {topic['name']} (if it exists)")
        elif lacking := needed - _allowed(topic["authorized_operations"], needed):
            missing.append(f"{_words(lacking)} topic {topic['name']}")
    if not _may_read_in_group(admin, kafka.group):
        missing.append(f"Read group {kafka.group}")
    if missing:
        raise refused(kafka, missing)


def refused(kafka: KafkaSettings, missing: list[str]) -> MissingRightError:
    """Return the error that names what `missing` lists, and what to do."""
    user = f"user {kafka.username!r}" if kafka.username else "this client"
    return MissingRightError(
        f"Kafka does not allow {user} to: {'; '.join(sorted(missing))}. Give it these rights with kafka-acls; "
        "docs/security.md lists what each program needs"
    )


def _allowed(operations: list[str] | None, otherwise: set[str]) -> set[str]:
    return otherwise if operations is None else set(operations)


def _may_read_in_group(admin: KafkaAdminClient, group: str) -> bool:
    deadline = time.monotonic() + COORDINATOR_SECONDS
    while True:
        try:
            described = admin.describe_groups([group])[group]
        except GroupAuthorizationFailedError:
            return False
        except CoordinatorNotAvailableError:
            # The first that asks for a coordinator makes the broker create one.
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return READ in _allowed(described["authorized_operations"], {READ})


def _words(operations: set[str]) -> str:
    return " and ".join(sorted(operation.capitalize() for operation in operations))
