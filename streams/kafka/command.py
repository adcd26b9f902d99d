"""`groundswell topics …`."""

from __future__ import annotations

from streams.command_line import ConfigOption, command_group, console, fail, load_or_fail

topics = command_group("Make and check the topics.")


@topics.command("create")
def create(config: ConfigOption = None) -> None:
    """Make the topics that are missing, and check the partition counts of all."""
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.kafka.topics import TopicError, create_topics  # noqa: PLC0415

    settings = load_or_fail(config)
    try:
        made = create_topics(settings.kafka, settings.topics)
    except (SecurityError, TopicError) as error:
        fail(str(error))
    console.print(f"made {', '.join(made)}" if made else "all topics are there")
