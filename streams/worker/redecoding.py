"""A model is learned again from its interactions, under the configuration and the rules of this release.

What one rule has learned of signals and actions means nothing to another, so a changed setting or a release that
decodes otherwise cannot continue from a checkpoint. The interactions that it includes are still on their topic: they
are learned again in the same order, and the result takes the place of the model's learner in the checkpoint, at the
same offset. All else in the checkpoint stays as it is. Nothing may write checkpoints meanwhile, so no worker may run.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field

import msgspec
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from groundswell.chunks import assemble, split, used_slot
from groundswell.events import Reward
from processors.admission.interaction_records import InteractionReader, Stretch
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for
from processors.learners.ledger import Ledger
from processors.learners.statistics import UNKNOWN
from processors.models.config import ModelConfig
from processors.wire.log_records import LogRecord, parts
from state import checkpoints
from state.checkpoints import Checkpoint
from streams.kafka.acknowledged_producer import AcknowledgedProducer
from streams.kafka.security import connection_arguments, security_arguments
from streams.kafka.topic_inspector import TopicInspector
from streams.settings import Settings
from streams.worker.outputs import contract_partition
from streams.worker.partition_learner import CHECKPOINT_KEY

BATCH = 2_000
"""Records that are read before they are learned."""


class RedecodeError(Exception):
    """A model cannot be learned again now; the message says why, and what to do."""


@dataclass
class Redecoded:
    """What came of the model's interactions on one partition.

    `before` is how many the checkpoint includes, `learned` how many of them are still on the topic. `flips` counts, by
    signal, the interactions whose state is another one than on the topic of rewards, `compared` all that are on both;
    `rewards` are the sums of rewards before and now over these.
    """

    partition: int
    before: int
    learned: int = 0
    compared: int = 0
    flips: Counter[tuple[str, int | None, int | None]] = field(default_factory=Counter)
    rewards: tuple[float, float] = (0.0, 0.0)

    def in_words(self) -> Iterator[str]:
        """Say it, a line each."""
        missing = self.before - self.learned
        lost = f"; {missing} are no longer on the topic, and what they taught is lost" if missing > 0 else ""
        yield f"partition {self.partition}: {self.learned} of {self.before} interactions learned again{lost}"
        if not self.compared:
            return
        then, now = (amount / self.compared for amount in self.rewards)
        yield f"  mean reward of what was shown {then:+.3f} before, {now:+.3f} now; states of {self.compared} compared"
        for (signal, old, new), count in self.flips.most_common():
            yield f"  {signal}: {_named(old)} became {_named(new)} {count} times"


def _named(state: int | None) -> str:
    return UNKNOWN if state is None else f"{state:+d}" if state else "0"


def redecode(settings: Settings, name: str, *, check: bool, stopped: bool = False) -> Iterator[Redecoded]:
    """Learn the configured model `name` again, partition by partition; with `check` nothing is written.

    `stopped` says that no worker runs, whatever Kafka still takes for a member of the group.

    Raises:
        RedecodeError: the model is not configured, a worker of the group runs, or there is no checkpoint of the model.
        CheckpointError: a checkpoint cannot be read.
        SendError: the broker does not take the new one.
    """
    model = settings.models.get(name)
    if model is None:
        known = ", ".join(sorted(settings.models)) or "none"
        raise RedecodeError(f"no model {name!r} is configured; there are {known}")
    if not (check or stopped):
        _refuse_beside_workers(settings)
    topics, found = settings.topics, False
    home = contract_partition(name.encode(), topics.interaction_partitions)
    partitions = [home] if model.sharded_by is None else list(range(topics.interaction_partitions))
    with TopicInspector(settings.kafka) as logs:
        for partition in partitions:
            newest = {key: one.value for key, one in logs.newest(topics.checkpoints, partition).items()}
            value, _ = assemble(CHECKPOINT_KEY, newest)
            checkpoint = None if value is None else checkpoints.decode(value)
            if checkpoint is None or name not in checkpoint.models:
                continue
            found = True
            learner, result = _learned(settings, logs, partition, checkpoint, model)
            if not check:
                state = learner.state()
                # Versions of its policy go on from where they were: apps pass over one that is older than theirs.
                state["interactions_included"] = max(result.before, result.learned)
                _hand_over(settings, partition, msgspec.structs.replace(
                    checkpoint, models={**checkpoint.models, name: state}
                ), used_slot(newest.get(CHECKPOINT_KEY)))  # fmt: skip
            yield result
    if not found:
        raise RedecodeError(f"no checkpoint holds anything of {name!r}: a worker will learn it from its interactions")


def _refuse_beside_workers(settings: Settings) -> None:
    group = settings.kafka.group
    try:
        with closing(KafkaAdminClient(**connection_arguments(settings.kafka))) as admin:
            members = admin.describe_groups([group])[group].get("members", [])
    except KafkaError as error:
        raise RedecodeError(f"whether a worker of group {group!r} runs is not known: {error}") from error
    if members:
        raise RedecodeError(
            f"workers of group {group!r} run ({len(members)}), and would write over what is learned here: stop them. "
            f"One with `kafka.instance` that has stopped is known for another {settings.kafka.session_timeout:g} s; "
            "with --stopped it is not asked"
        )


def _learned(
    settings: Settings, logs: TopicInspector, partition: int, checkpoint: Checkpoint, model: ModelConfig
) -> tuple[Learner, Redecoded]:
    """Return the model learned from what the checkpoint includes, and how it compares with the rewards of before."""
    topics = settings.topics
    learner, ledger = learner_for(model), Ledger()
    reader = InteractionReader(settings.models)
    result = Redecoded(partition, checkpoint.models[model.name]["interactions_included"])
    states = _states_before(settings, logs, partition, model.name)
    first, _ = logs.bounds(topics.interactions, partition + 1)[partition]
    for records in _batches(logs, topics.interactions, partition, first, checkpoint.offset):
        for some in parts(records):
            arrivals = reader.read([record.value for record in some])
            rows = [row for row in range(len(some)) if row not in arrivals.refused]
            new = ledger.admit_all([arrivals.read[row].source for row in rows])
            mine = [
                row
                for row, is_new in zip(rows, new, strict=True)
                if is_new and arrivals.read[row].impression.model == model.name
            ]
            result.learned += len(mine)
            for reward in learner.learn_stretch(Stretch(arrivals, mine)):
                if reward is not None:
                    _compare(result, states, reward)
    return learner, result


def _batches(logs: TopicInspector, topic: str, partition: int, first: int, end: int) -> Iterator[Sequence[LogRecord]]:
    batch: list[LogRecord] = []
    for record in logs.read(topic, partition, first, as_they_come=True):
        if record.offset >= end:
            break
        batch.append(record)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _states_before(
    settings: Settings, logs: TopicInspector, partition: int, name: str
) -> dict[tuple[int, int], tuple[int | None, float]]:
    """Return state and reward by the place of the impression, as they are on the topic of rewards."""
    decoder, topic = msgspec.json.Decoder(Reward), settings.topics.rewards
    first, _ = logs.bounds(topic, partition + 1)[partition]
    states: dict[tuple[int, int], tuple[int | None, float]] = {}
    for record in logs.read(topic, partition, first, as_they_come=True):
        reward = decoder.decode(record.value)
        if reward.model == name:
            states[reward.source.partition, reward.source.offset] = reward.state, reward.reward
    return states


def _compare(result: Redecoded, states: Mapping[tuple[int, int], tuple[int | None, float]], reward: Reward) -> None:
    before = states.get((reward.source.partition, reward.source.offset))
    if before is None:
        return
    result.compared += 1
    result.rewards = result.rewards[0] + before[1], result.rewards[1] + reward.reward
    if before[0] != reward.state:
        result.flips[reward.signal, before[0], reward.state] += 1


def _hand_over(settings: Settings, partition: int, checkpoint: Checkpoint, slot: int) -> None:
    records, _ = split(CHECKPOINT_KEY, checkpoints.encode(checkpoint), slot)
    security = security_arguments(settings.kafka)
    with AcknowledgedProducer(settings.kafka.bootstrap_servers, security=security) as producer:
        for key, value in records:
            producer.send(settings.topics.checkpoints, value, key=key, partition=partition)
