"""A model whose settings have changed is learned again from its interactions, and its worker goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.servers.embedded_broker import EmbeddedBroker
from groundswell.chunks import assemble
from groundswell.events import Action
from processors.learners.learner_choice import learner_for, restored_learner
from processors.models.config import ModelConfig
from state import checkpoints
from streams.kafka.topic_inspector import TopicInspector
from streams.settings import KafkaSettings, Settings
from streams.worker.outputs import contract_partition
from streams.worker.partition_learner import CHECKPOINT_KEY
from streams.worker.redecoding import RedecodeError, redecode
from tests.integration.days import ACTIONS, Day, first_deliveries, learned
from tests.integration.workers import CONFIGURATION, TOPICS, RunningWorker, with_topics

pytestmark = pytest.mark.timeout(300)
SHOWN = 300
BEFORE = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=12)
NOW = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=10)


def settings(servers: str, model: ModelConfig) -> Settings:
    return Settings(kafka=KafkaSettings(bootstrap_servers=servers), topics=TOPICS, models={"feed": model})


def checkpoint(servers: str) -> checkpoints.Checkpoint:
    with TopicInspector(KafkaSettings(bootstrap_servers=servers)) as logs:
        home = contract_partition(b"feed", TOPICS.interaction_partitions)
        newest = logs.newest(TOPICS.checkpoints, home)
    value, _ = assemble(CHECKPOINT_KEY, {key: record.value for key, record in newest.items()})
    assert value is not None
    return checkpoints.decode(value)


def learn_a_day(directory: Path, servers: str) -> None:
    """Let a worker learn what people do, and stop it."""
    day = Day(servers)
    with RunningWorker(directory, servers) as worker:
        day.goes_on(SHOWN)
        day.ends()
        worker.until(lambda: len(learned(servers)) == SHOWN, "everything to be learned")
        worker.stop()


def test_a_changed_setting_is_refused_by_name_and_what_was_learned_is_learned_again(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        learn_a_day(tmp_path, servers)
        before = checkpoint(servers)

        changed = CONFIGURATION.replace("hash_bits = 12", "hash_bits = 10")
        refused = RunningWorker(tmp_path, servers, configuration=changed)
        with pytest.raises(AssertionError, match="the worker ended"):
            refused.start()
        assert "`groundswell redecode --model feed` relearns it" in refused.said()

        (found,) = redecode(settings(servers, NOW), "feed", check=True)
        assert (found.before, found.learned, found.compared) == (SHOWN, SHOWN, SHOWN)
        assert checkpoint(servers) == before, "with check nothing is written"
        # A broker keeps a member with an id of its own when it stops, and the embedded one for ever.
        with pytest.raises(RedecodeError, match="would write over what is learned here: stop them"):
            list(redecode(settings(servers, NOW), "feed", check=False))
        assert list(redecode(settings(servers, NOW), "feed", check=False, stopped=True)) == [found]

        after = checkpoint(servers)
        assert (after.offset, after.ledger, after.publications) == (before.offset, before.ledger, before.publications)
        pure = learner_for(NOW)
        pure.learn(first_deliveries(servers))
        again = restored_learner(NOW, after.models["feed"])
        actions = [Action(f"a{number}") for number in range(ACTIONS)]
        assert again.interactions_included == SHOWN
        assert again.scores({"user": "u1"}, actions).tolist() == pure.scores({"user": "u1"}, actions).tolist()
        with RunningWorker(tmp_path, servers, configuration=changed) as worker:
            assert worker.running


def test_the_same_rule_flips_nothing(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        learn_a_day(tmp_path, servers)
        (found,) = redecode(settings(servers, BEFORE), "feed", check=True)
        assert not found.flips
        assert found.rewards[0] == pytest.approx(found.rewards[1])
        with pytest.raises(RedecodeError, match="no model 'other' is configured; there are feed"):
            list(redecode(settings(servers, BEFORE), "other", check=True))
