"""A model is learned again from its interactions, under the configuration and the rules of this release.

What one rule has learned of signals and actions means nothing to another, so a changed setting or a release that
decodes otherwise cannot continue from a checkpoint. The interactions that it includes are still on their topic: they
are learned again in the same order, and the result takes the place of the model's learner in the checkpoint, at the
same offset, with the name of its lineage, which its policies carry from then on. All else
in the checkpoint stays as it is. Nothing may write checkpoints meanwhile, so no worker may run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from groundswell import __version__, policy
from groundswell.chunks import ManifestError, assemble, split
from groundswell.events import Source
from groundswell.policy import PolicyError, PolicySnapshot
from processors.admission.interaction_records import InteractionReader, Stretch, contexts
from processors.learners.learner_choice import learner_for
from processors.learners.ledger import Ledger
from processors.models.config import ModelConfig
from processors.wire.log_records import LogRecord, parts
from processors.wire.plain_state import MalformedError
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY, Checkpoint, CheckpointError, lineage
from streams.kafka.acknowledged_producer import AcknowledgedProducer
from streams.kafka.group_members import refuse_beside_workers
from streams.kafka.security import security_arguments
from streams.kafka.signing import Signing
from streams.kafka.topic_inspector import TopicInspector
from streams.observing.context_segments import Segments
from streams.settings import Settings
from streams.worker.believed_checkpoints import stored_checkpoint
from streams.worker.blamed_records import blamed_records
from streams.worker.model_worth import ModelWorth
from streams.worker.outputs import contract_partition
from streams.worker.redecoded import LastPlays, Redecoded
from streams.worker.rewards_before import RewardsBefore

BATCH = 2_000
"""Records that are read before they are learned."""


class RedecodeError(Exception):
    """A model cannot be learned again now; the message says why, and what to do."""


def redecode(settings: Settings, name: str, *, check: bool, stopped: bool = False) -> Iterator[Redecoded]:
    """Learn the configured model `name` again, partition by partition; with `check` nothing is written.

    `stopped` says that no worker runs, whatever Kafka still takes for a member of the group.

    Raises:
        RedecodeError: the model is not configured, or there is no checkpoint of it.
        WorkersRunError: a worker of the group runs, or may.
        CheckpointError: a checkpoint cannot be read.
        SendError: the broker does not take the new one.
        SignatureError: a key of the settings cannot be used.
    """
    model = settings.models.get(name)
    if model is None:
        raise RedecodeError(settings.no_such_model(name))
    if not (check or stopped):
        refuse_beside_workers(settings.kafka)
    topics, found, signing = settings.topics, False, Signing.of(settings.signatures)
    signing.require_both()
    home = contract_partition(name.encode(), topics.interaction_partitions)
    partitions = [home] if model.sharded_by is None else list(range(topics.interaction_partitions))
    with TopicInspector(settings.kafka) as logs, TopicInspector(settings.kafka) as rewards:
        logs.require(topics.checkpoints, topics.policies)
        published = _published(logs, topics.policies, name, signing) if model.sharded_by is None else None
        for partition in partitions:
            stored = stored_checkpoint(logs, topics.checkpoints, partition, signing)
            if stored is None or name not in stored.checkpoint.models:
                continue
            found = True
            log = stored.checkpoint.interactions_topic
            blamed = blamed_records(settings.kafka, topics.interactions, partition, log)
            try:
                again = _Again(settings, model, partition, stored.checkpoint, published, blamed)
            except MalformedError as error:
                raise CheckpointError(f"partition {partition}: {learner_checkpoints.wrong_contents(error)}") from error
            again.learn(logs, rewards)
            if not check:
                _hand_over(settings, signing, partition, again.checkpoint(), stored.slot)
            yield again.result
    if not found:
        raise RedecodeError(f"no checkpoint holds anything of {name!r}: a worker will learn it from its interactions")


class _Again:
    """One partition's learner of a model, learned again from what its checkpoint includes."""

    def __init__(
        self,
        settings: Settings,
        model: ModelConfig,
        partition: int,
        checkpoint: Checkpoint,
        published: PolicySnapshot | None,
        blamed: frozenset[int],
    ) -> None:
        self._settings, self._model, self._checkpoint, self._published = settings, model, checkpoint, published
        self._blamed = blamed
        """Offsets of what is not looked into, since workers died of it."""
        self._learner, self._ledger, self._entered = learner_for(model), Ledger(), Ledger.restore(checkpoint.ledger)
        segments = settings.segments.get(model.name)
        self._segments = None if segments is None else Segments(segments)
        self._worth = ModelWorth(model, segments, None)
        self._last = LastPlays()
        self.result = Redecoded(
            partition,
            checkpoint.models[model.name]["interactions_included"],
            lineage=lineage(checkpoint.lineages.get(model.name), self._learner.configuration, __version__),
        )

    def learn(self, logs: TopicInspector, rewards: TopicInspector) -> None:
        """Learn what the checkpoint includes, and compare it with the rewards of before, which are read beside it."""
        topics, partition = self._settings.topics, self.result.partition
        reader = InteractionReader(self._settings.models)
        first, _ = rewards.bounds(topics.rewards, partition + 1)[partition]
        written = rewards.read(topics.rewards, partition, first, as_they_come=True)
        before = RewardsBefore(written, self._model.name, self._ledger)
        first, _ = logs.bounds(topics.interactions, partition + 1)[partition]
        for records in _batches(logs, topics.interactions, partition, first, self._checkpoint.offset):
            for some in parts([record for record in records if record.offset not in self._blamed]):
                arrivals = reader.read([record.value for record in some])
                rows = [
                    row
                    for row, one in enumerate(arrivals.read)
                    if row not in arrivals.refused and self._was_entered(one.source)
                ]
                new = self._ledger.admit_all([arrivals.read[row].source for row in rows])
                mine = [
                    row
                    for row, is_new in zip(rows, new, strict=True)
                    if is_new and arrivals.read[row].impression.model == self._model.name
                ]
                self._take(Stretch(arrivals, mine), before)
        if self._published is not None:
            values = self._last.values([self._published, self._learner.snapshot(None)])
            self.result.values = None if values is None else (values[0], values[1])

    def _was_entered(self, source: Source) -> bool:
        """Say whether a worker let this interaction in, or one of the same impression; others it had set aside."""
        return source.floor <= source.offset and self._entered.has(source.partition, source.offset, source.topic)

    def _take(self, stretch: Stretch, before: RewardsBefore) -> None:
        result, segments = self.result, self._segments
        result.learned += len(stretch)
        rewards = self._learner.learn_stretch(stretch)
        self._worth.learned(stretch, rewards)
        found = before.of([one.source for one in stretch.read])
        shown = [None] * len(stretch) if segments is None else [segments.label(one) for one in contexts(stretch)]
        for segment, earlier, reward in zip(shown, found, rewards, strict=True):
            if earlier is not None and reward is not None:
                result.add(segment, earlier, reward)
        if self._published is not None:
            self._last.add(stretch.read, rewards)

    def checkpoint(self) -> Checkpoint:
        """Return the checkpoint with the model's learner replaced; all else is as it was."""
        old, name, state = self._checkpoint, self._model.name, self._learner.state()
        # Versions of its policy go on from where they were: apps pass over one that is older than theirs.
        included = max(self.result.before, self.result.learned)
        state["interactions_included"] = included
        publication = old.publications[name]
        due = max(publication.due, included + 1)
        return msgspec.structs.replace(
            old,
            publications={**old.publications, name: msgspec.structs.replace(publication, due=due)},
            models={**old.models, name: state},
            worths={**old.worths, name: self._worth.state()},
            lineages={**old.lineages, name: self.result.lineage},
        )


def _published(logs: TopicInspector, topic: str, name: str, signing: Signing) -> PolicySnapshot | None:
    """Return the newest policy of a model, None where there is none that can be read."""
    try:
        records = logs.newest(topic, 0, signing.belief("policies", 0))
        content, _ = assemble(name.encode(), {key: one.value for key, one in records.items()})
        return None if content is None else policy.decode(content)
    except (ManifestError, PolicyError):
        return None


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


def _hand_over(settings: Settings, signing: Signing, partition: int, checkpoint: Checkpoint, slot: int) -> None:
    records, _ = split(CHECKPOINT_KEY, learner_checkpoints.encode(checkpoint), slot)
    security = security_arguments(settings.kafka)
    with AcknowledgedProducer(settings.kafka.bootstrap_servers, security=security) as producer:
        for key, value in records:
            headers = signing.headers("checkpoints", partition, key, value)
            producer.send(settings.topics.checkpoints, value, key=key, partition=partition, headers=headers)
