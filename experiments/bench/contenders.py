"""Who runs in the benchmarks of the join, each with topics of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import NewTopic

from experiments.bench.race import Contender, Inputs
from experiments.bench.workload import GRACE, WAIT
from experiments.servers.embedded_broker import free_port
from streams.kafka.topics import create_topics
from streams.settings import KafkaSettings, TopicSettings

PARTITIONS = 4
PEERS = {
    "confluent-kafka": ("experiments.bench.confluent_join", 1.0, 0.0),
    "Faust": ("experiments.bench.faust_join", 1.0, 0.0),
    "Quix": ("experiments.bench.quix_join", 0.0, 1.0),
}
"""Of each peer the module, and how many records it writes for an impression and for feedback."""

NEWER = {"signal_worth", "controls"}
"""Topics that older builds do not know, and so refuse to be told of: all runs have the same ones."""


def ours(
    name: str, run: int, servers: str, folder: Path, *, workers: int = 1, sharded: bool = False, wait: float = WAIT
) -> tuple[Contender, Inputs]:
    """Return our worker, or several: `join` with the agents of the join alone, `pipeline` with all of them.

    A `sharded` model is learned on as many partitions as events have. Feedback is waited for for `wait` seconds.
    """
    suffix = f"{name}-{'sharded-' if sharded else ''}{workers}-{wait:g}-{run}"
    topics = TopicSettings(
        event_partitions=PARTITIONS,
        interaction_partitions=PARTITIONS if sharded else 1,
        **{
            kind: f"{kind}-{suffix}"
            for kind in TopicSettings.model_fields
            if not kind.endswith(("partitions", "hours")) and kind not in NEWER
        },
    )
    kafka = KafkaSettings(bootstrap_servers=servers, group=suffix, session_timeout=60)
    create_topics(kafka, topics)
    settings: dict[str, dict[str, Any]] = {
        # The clock has no part in it: a log that is being written is not idle.
        "join": {"wait": wait, "grace": GRACE, "idle": 3600.0},
        "kafka": kafka.model_dump(exclude_defaults=True),
        "topics": topics.model_dump(exclude_defaults=True),
        "models.feed": {"definitely_negative": ["dislike"], **({"sharded_by": "user"} if sharded else {})},
    }
    config = folder / f"{suffix}.toml"
    config.write_text(
        "".join(
            f"[{section}]\n" + "".join(f"{key} = {value!r}\n" for key, value in values.items())
            for section, values in settings.items()
        )
    )
    environment = {"GROUNDSWELL_CONFIG": str(config), "KAFKA_BOOTSTRAP_SERVERS": servers}
    output = topics.interactions if name == "join" else topics.rewards
    ports = [free_port() for _ in range(workers)]
    own = [
        {"GROUNDSWELL_KAFKA__INSTANCE": f"{suffix}-{number}", "GROUNDSWELL_HTTP__PORT": str(port)}
        for number, port in enumerate(ports)
    ]
    contender = Contender(
        f"groundswell {name}",
        "experiments.bench.benchmark_worker",
        [name],
        output,
        environment=environment,
        workers=own,
        pages=[f"http://127.0.0.1:{port}" for port in ports],
    )
    return contender, Inputs(servers, topics.impressions, topics.feedback, PARTITIONS)


def peer(name: str, run: int, servers: str) -> tuple[Contender, Inputs]:
    """Return a peer."""
    module, per_impression, per_feedback = PEERS[name]
    suffix = f"{name.lower().replace(' ', '-')}-{run}"
    inputs = Inputs(servers, f"impressions-{suffix}", f"feedback-{suffix}", PARTITIONS)
    output = f"output-{suffix}"
    admin = KafkaAdminClient(bootstrap_servers=servers)
    topics = {inputs.impressions: PARTITIONS, inputs.feedback: PARTITIONS, output: 1}
    admin.create_topics([NewTopic(topic, partitions, 1) for topic, partitions in topics.items()])
    admin.wait_for_topics(list(topics))
    admin.close()
    arguments = [servers, inputs.impressions, inputs.feedback, str(PARTITIONS), output]
    return Contender(name, module, arguments, output, per_impression, per_feedback), inputs
