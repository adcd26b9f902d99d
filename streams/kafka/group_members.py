"""Whether any worker runs: what writes over their state may not run beside them."""

from __future__ import annotations

from contextlib import closing

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.kafka.security import connection_arguments
from streams.settings import KafkaSettings


class WorkersRunError(Exception):
    """A worker of the group runs, or may; the message says what to do."""


def refuse_beside_workers(kafka: KafkaSettings) -> None:
    """Raise `WorkersRunError` while the group has members."""
    group = kafka.group
    try:
        with closing(KafkaAdminClient(**connection_arguments(kafka))) as admin:
            members = admin.describe_groups([group])[group].get("members", [])
    except KafkaError as error:
        raise WorkersRunError(
            f"whether a worker of group {group!r} runs is not known: {error}. Stop all workers, and say so "
            "with --stopped"
        ) from error
    if members:
        raise WorkersRunError(
            f"workers of group {group!r} run ({len(members)}), and would write over what is done here: stop them. "
            f"One with `kafka.instance` that has stopped is known for another {kafka.session_timeout:g} s; "
            "with --stopped it is not asked"
        )
