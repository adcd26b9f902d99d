"""The Python program in docs/clients.md sends what the worker lets in, to where it looks for it."""

from __future__ import annotations

import re
from pathlib import Path

from kafka.consumer.fetcher import ConsumerRecord

from experiments.servers.embedded_broker import EmbeddedBroker
from experiments.servers.topic_reader import TopicReader
from processors.admission.event_records import Admission
from processors.join.entries import ObservedFeedback, ShownImpression
from streams.kafka.topics import create_topics
from streams.settings import KafkaSettings, TopicSettings
from streams.worker.outputs import contract_partition
from tests.factories import admitted, models

TEXT = (Path(__file__).parents[3] / "docs" / "clients.md").read_text()
PROGRAM = next(block for block in re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL) if "KafkaProducer(" in block)


def test_what_the_example_sends_is_let_in_where_it_belongs(tmp_path: Path) -> None:
    topics = TopicSettings(event_partitions=7)
    admission = Admission(models("feed"), max_ahead_ms=60_000)
    with EmbeddedBroker(tmp_path) as broker:
        create_topics(KafkaSettings(bootstrap_servers=broker.bootstrap_servers), topics)
        names: dict[str, object] = {}
        exec(PROGRAM.replace("localhost:9092", broker.bootstrap_servers), names)
        names["producer"].close()  # type: ignore[attr-defined]  # the program's own
        with TopicReader(broker.bootstrap_servers, topics.impressions, topics.feedback) as reader:
            found: list[ConsumerRecord] = []
            while len(found) < 2:  # the program has flushed: they are there
                found += list(reader.new())
    for record in found:
        assert record.partition == contract_partition(record.key, 7)
    [impression] = [record for record in found if record.topic == topics.impressions]
    [feedback] = [record for record in found if record.topic == topics.feedback]
    shown = admitted(admission.impressions, impression.key, impression.value, impression.offset, impression.timestamp)
    observed = admitted(admission.feedback, feedback.key, feedback.value, feedback.offset, feedback.timestamp)
    assert isinstance(shown, ShownImpression)
    assert isinstance(observed, ObservedFeedback)
    assert observed.impression_id == shown.id
