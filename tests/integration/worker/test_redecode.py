"""A model whose settings have changed is learned again from its interactions, and its worker goes on from there."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import UNSET

from experiments.servers.embedded_broker import EmbeddedBroker
from groundswell import policy
from groundswell.events import Action
from processors.learners.learner_choice import learner_for, restored_learner
from processors.models.config import ModelConfig
from state import learner_checkpoints
from streams.kafka.group_members import WorkersRunError
from streams.kafka.topic_inspector import TopicInspector
from streams.settings import KafkaSettings, Settings
from streams.worker.outputs import contract_partition
from streams.worker.redecoding import RedecodeError, redecode
from streams.worker.worth_listing import WorthError, newest_worth
from tests.integration.days import ACTIONS, Day, first_deliveries, learned
from tests.integration.workers import CONFIGURATION, TOPICS, RunningWorker, read_all, with_topics

pytestmark = pytest.mark.timeout(300)
SHOWN = 300
OFTEN = CONFIGURATION.replace("publish_interactions = 500", "publish_interactions = 50")
BEFORE = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=12)
NOW = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=10)


def settings(servers: str, model: ModelConfig) -> Settings:
    return Settings(kafka=KafkaSettings(bootstrap_servers=servers), topics=TOPICS, models={"feed": model})


def checkpoint(servers: str) -> learner_checkpoints.Checkpoint:
    with TopicInspector(KafkaSettings(bootstrap_servers=servers)) as logs:
        home = contract_partition(b"feed", TOPICS.interaction_partitions)
        newest = logs.newest(TOPICS.checkpoints, home)
    stored = learner_checkpoints.stored({key: record.value for key, record in newest.items()})
    assert stored is not None
    return stored.checkpoint


def policies(servers: str) -> list[policy.PolicySnapshot]:
    return [policy.decode(record.value) for record in read_all(servers, TOPICS.policies)]


def learn_a_day(directory: Path, servers: str) -> None:
    """Let a worker learn what people do, and stop it."""
    day = Day(servers)
    with RunningWorker(directory, servers, configuration=OFTEN) as worker:
        day.goes_on(SHOWN)
        day.ends()
        worker.until(lambda: len(learned(servers)) == SHOWN, "everything to be learned")
        worker.stop()


def test_a_changed_setting_is_refused_by_name_and_what_was_learned_is_learned_again(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        learn_a_day(tmp_path, servers)
        before = checkpoint(servers)

        changed = OFTEN.replace("hash_bits = 12", "hash_bits = 10")
        refused = RunningWorker(tmp_path, servers, configuration=changed)
        with pytest.raises(AssertionError, match="the worker ended"):
            refused.start()
        assert "`groundswell redecode --model feed` relearns it" in refused.said()

        (found,) = redecode(settings(servers, NOW), "feed", check=True)
        assert (found.before, found.learned, found.compared.count) == (SHOWN, SHOWN, SHOWN)
        assert found.values is not None
        assert checkpoint(servers) == before, "with check nothing is written"
        # A broker keeps a member with an id of its own when it stops, and the embedded one for ever.
        with pytest.raises(WorkersRunError, match="would write over what is done here: stop them"):
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
        assert before.lineages == {}
        assert after.lineages == {"feed": found.lineage}
        assert {one.lineage for one in policies(servers)} == {UNSET}, "nothing was published by what was not redecoded"
        with RunningWorker(tmp_path, servers, configuration=changed) as worker:
            day = Day(servers, first=SHOWN)
            day.goes_on(SHOWN)
            day.ends()
            worker.until(lambda: policies(servers)[-1].version == 2 * SHOWN, "the policy to go on")
            worker.stop()
        assert policies(servers)[-1].lineage == found.lineage
        assert checkpoint(servers).lineages == {"feed": found.lineage}
        table = newest_worth(settings(servers, NOW), "feed")
        assert table.interactions == 2 * SHOWN
        assert sum(one.plays for one in table.rows) > SHOWN, "what was learned again is in it"
        with pytest.raises(WorthError, match=r"no model 'other' is configured; there are feed: name one of those"):
            newest_worth(settings(servers, NOW), "other")


def test_the_same_rule_flips_nothing(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        learn_a_day(tmp_path, servers)
        (found,) = redecode(settings(servers, BEFORE), "feed", check=True)
        assert not found.flips
        assert found.compared.before == pytest.approx(found.compared.now)
        assert found.values is not None
        assert found.values[0] == pytest.approx(found.values[1]), "it is the policy that was published last"
        with pytest.raises(RedecodeError, match=r"no model 'other' is configured; there are feed: name one of those"):
            list(redecode(settings(servers, BEFORE), "other", check=True))
