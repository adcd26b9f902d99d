"""Looking at topics from a command, which ends with a line that says why where it cannot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from streams.command_line import fail

if TYPE_CHECKING:
    from streams.kafka.topic_inspector import TopicInspector
    from streams.settings import Settings


@contextmanager
def looking(settings: Settings, *topics: str) -> Iterator[TopicInspector]:
    """Look at topics; where Kafka lets us not, or one is missing, end and say why."""
    from groundswell.signatures import SignatureError  # noqa: PLC0415
    from streams.kafka.access_check import PATIENCE_OF_A_READER, check_connection  # noqa: PLC0415
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.kafka.topic_inspector import TopicInspector  # noqa: PLC0415
    from streams.kafka.topics import TopicError  # noqa: PLC0415

    try:
        check_connection(settings.kafka, PATIENCE_OF_A_READER)
        with TopicInspector(settings.kafka) as logs:
            logs.require(*topics)
            yield logs
    except (SecurityError, SignatureError, TimeoutError, TopicError) as error:
        fail(str(error))
