"""Which records of a topic are not looked into, since workers died of them: read from beside the group's offsets."""

from __future__ import annotations

from contextlib import closing

from kafka import KafkaAdminClient

from processors.admission.deaths import Trail
from streams.kafka.security import connection_arguments
from streams.kafka.topics import NO_ID
from streams.settings import KafkaSettings


def blamed_records(kafka: KafkaSettings, topic: str, partition: int, topic_id: str) -> frozenset[int]:
    """Return the offsets of a partition that the group's workers set aside, of the topic with this id."""
    with closing(KafkaAdminClient(**connection_arguments(kafka))) as admin:
        committed = admin.list_group_offsets(kafka.group)[kafka.group]
    for place, one in committed.items():
        if (place.topic, place.partition) == (topic, partition):
            trail = Trail.read(one.metadata or "")
            return frozenset(trail.blamed if topic_id in {NO_ID, trail.topic} else ())
    return frozenset()
