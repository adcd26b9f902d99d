"""The learners of one partition of interactions, from record batches to rewards, policies and checkpoints.

Interactions come at least once; the ledger lets each in once. Offsets are committed only up to what a durable
checkpoint includes, and after a restart reading goes on from what the checkpoint says, not from what was committed.

An interaction that raises where none should while it is learned is set aside as `poison`. The learners are left halfway
then, so they are restored from the newest checkpoint and read on from there, what had raised one by one: what raises
alone is entered in the ledger and never learned, and what follows is learned as if it had not come. That one raises is
a function of the interactions before it, so a restart finds the same ones.
"""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import compress
from typing import Any

import msgspec

from groundswell import policy
from groundswell.chunks import ManifestError, split, used_slot
from groundswell.worth import WorthTable
from processors.admission.event_records import Reason, Refusal, poison, unread
from processors.admission.interaction_records import ArrivedInteractions, InteractionReader, Stretch
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for, restored_learner
from processors.learners.ledger import Ledger
from processors.learners.shard_learner import ShardLearner
from processors.learners.shard_mixing import Contribution
from processors.wire.evidence import NO_EVIDENCE
from processors.wire.log_records import LogRecord, UnreadRecords, as_it_came, parts
from processors.wire.plain_state import MalformedError, require
from state import learner_checkpoints
from state.learner_checkpoints import CHECKPOINT_KEY, Checkpoint, CheckpointError, Publication
from streams.kafka.record_batches import Cursor, RecordBatch
from streams.kafka.topics import NO_ID, refuse_another
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.logs import get_log
from streams.observing.model_pasts import past_key
from streams.settings import Settings
from streams.worker.impressions_log import ImpressionsLog
from streams.worker.model_worth import ModelWorth
from streams.worker.outputs import Outputs, Place, contract_partition
from streams.worker.whole_steps import WholeSteps, Worked, unannounced

LOG = get_log(__name__)
WEIGHTS_PER_INTERACTION = 5
"""A large policy is published less often: by 0.7 us a weight, publishing costs a fifth of learning."""
STRETCH = 20
"""Seconds between checkpoints for each that the last one took to encode: they cost a twentieth of a core at most."""
LONGEST_STRETCH = 60.0
"""Seconds to which that stretches the time between checkpoints: a restart begins from them."""


@dataclass(frozen=True)
class LearningWiring:
    """What every partition's learners share."""

    settings: Settings
    outputs: Callable[[], Outputs]
    metrics: LearningMetrics
    kept: Callable[[], Awaitable[bool]]
    """Says whether the partition is still this worker's to write policies and checkpoints of."""
    topic_ids: Mapping[str, str] = field(default_factory=dict)
    """The ids of the topics, where they are known."""
    newest_checkpoint: Callable[[int], Awaitable[Mapping[bytes, bytes | None]]] | None = None
    """Returns the newest record of each key of a partition of checkpoints; None: what raises ends the worker."""
    impressions_log: ImpressionsLog | None = None
    """Tells interactions that no join can have written; None: all are taken for a join's."""

    @cached_property
    def reader(self) -> InteractionReader:
        """The reader of interactions with what it remembers of contexts and actions: once for all partitions."""
        return InteractionReader(self.settings.models)


class RaisedError(Exception):
    """Learning raised where it never should: the learners are left halfway."""


class PartitionLearner:
    """The learners of the models whose interactions lie on one partition."""

    def __init__(
        self,
        partition: int,
        wiring: LearningWiring,
        checkpoint: Mapping[bytes, bytes | None],
        policies: Mapping[bytes, bytes | None],
    ) -> None:
        """Restore what the newest complete checkpoint says; write no policy over the chunks of a published one.

        `checkpoint` and `policies` hold the newest record of each key of those topics. Raises `CheckpointError`
        where the checkpoint cannot be used, `TopicChangedError` where it is of interactions that are no longer there.
        """
        self.partition = partition
        self._settings = wiring.settings
        self._outputs = wiring.outputs
        self._kept = wiring.kept
        self._metrics = wiring.metrics
        self._delays = wiring.metrics.delays(wiring.settings.join)
        self._reader = wiring.reader
        self._newest_checkpoint = wiring.newest_checkpoint
        self._impressions_log = wiring.impressions_log
        self._policy_slots = {name: self._used_slot(name, policies) for name in wiring.settings.models}
        self._interactions_topic = wiring.topic_ids.get(wiring.settings.topics.interactions, NO_ID)
        self._steps = WholeSteps()
        self._metrics.may_refuse(wiring.settings.topics.interactions, Reason.POISON)
        self._alone_before = 0
        """The offset before which records are learned one by one, since they raised together."""
        self._poison: dict[int, Refusal] = {}
        """What raised alone, by its offset."""
        self._begin(checkpoint)

    def _begin(self, checkpoint: Mapping[bytes, bytes | None]) -> None:
        """Begin with what the newest complete checkpoint says."""
        self._learners: dict[str, Learner] = {}
        # What was learned of models that are not configured now is kept for when they are again.
        self._unconfigured: dict[str, dict[str, Any]] = {}
        self._worths: dict[str, ModelWorth] = {}
        self._worth_states: dict[str, dict[str, Any]] = {}
        self._worths_of_others: dict[str, Sequence[Mapping[str, Any]]] = {}
        self._ledger = Ledger()
        self._publications: dict[str, Publication] = {}
        self._unpublished_since: dict[str, float] = {}
        self._taken_in: dict[str, Sequence[Contribution]] = {}
        self._lineages: dict[str, str] = {}
        self._slot = 0
        self.interactions = Cursor(0)
        try:
            stored = learner_checkpoints.stored(checkpoint)
        except CheckpointError as error:
            raise CheckpointError(f"partition {self.partition}: {error}") from error
        if stored is not None:
            self._slot = stored.slot
            try:
                self._restore(stored.checkpoint)
            except MalformedError as error:
                raise CheckpointError(
                    f"partition {self.partition}: {learner_checkpoints.wrong_contents(error)}"
                ) from error
        for name in self._learners:
            if self._publishes(name) and (past := checkpoint.get(past_key(name))):
                self._metrics.pasts.restore(name, past)
        self.durable_offset = self.interactions.offset
        self._unsaved_since: float | None = None
        self._seconds_to_encode = 0.0

    def _used_slot(self, model: str, policies: Mapping[bytes, bytes | None]) -> int:
        """Return the slot of the published policy of a model; of one that nobody can read nothing has to be spared."""
        try:
            return used_slot(policies.get(model.encode()))
        except ManifestError as error:
            topic = self._settings.topics.policies
            LOG.warning("no policy, and not written by a worker: the next one replaces it", model=model, why=str(error))
            self._metrics.disbelieved(topic)
            return 0

    def unlearnable(self, ends: Mapping[int, int], topic: str) -> str | None:
        """Return what was learned beyond the ends of the log of impressions, or None (see `Ledger.beyond`)."""
        return self._ledger.beyond(ends, topic)

    @property
    def ledger_partitions(self) -> frozenset[int]:
        """The partitions of impressions of which anything was learned."""
        return self._ledger.partitions

    def _restore(self, checkpoint: Checkpoint) -> None:
        refuse_another(self._settings.topics.interactions, checkpoint.interactions_topic, self._interactions_topic)
        self._interactions_topic = self._interactions_topic or checkpoint.interactions_topic
        self.interactions = Cursor(checkpoint.offset)
        self._ledger = Ledger.restore(checkpoint.ledger)
        self._publications = checkpoint.publications
        self._worth_states, self._lineages = dict(checkpoint.worths), checkpoint.lineages
        for name, state in checkpoint.models.items():
            if name in self._settings.models:
                self._add(name, restored_learner(self._settings.models[name], state))
                publication = self._checked_publication(name)
                if self._publishes(name):
                    self._metrics.restored(name, publication.version, publication.published_at)
            else:
                self._unconfigured[name] = state

    def _checked_publication(self, name: str) -> Publication:
        """Return where a restored model is with publishing. Raises `MalformedError` where it cannot be there."""
        learner, publication, what = self._learners[name], self._publications[name], f"the publication of {name!r}"
        included, due = learner.interactions_included, publication.due
        require(due > included, f"{what}: the next one is due at {due}, and {included} interactions are included")
        # Versions of shards count what others learned, who may have begun anew.
        ahead = self._settings.models[name].sharded_by is None and publication.version > learner.version
        require(not ahead, f"{what}: version {publication.version} of {included} interactions")
        require((publication.parent or 0) <= publication.version, f"{what}: it comes before its parent")
        return publication

    @property
    def policy_versions(self) -> dict[str, int]:
        """The version of each model's policy that was published last."""
        return {model: publication.version for model, publication in self._publications.items()}

    @property
    def abandoned(self) -> bool:
        """Whether a step was left to another worker: this one lets go of the partition, and does nothing until then."""
        return self._steps.abandoned

    async def take(self, batch: RecordBatch, worked: Worked = unannounced) -> int | None:
        """Learn from a stretch of the interactions log; return where to read on where that is not behind it."""
        if self.abandoned:
            return None
        outputs, slots = self._outputs(), dict(self._policy_slots)
        with self._steps:
            try:
                for records in self._parts(batch.records):
                    for model in self._take_part(records, await self._arrived(records), outputs):
                        if len(batch.records) == 1:
                            await worked()  # that a policy is due is not the doing of the record by which it is
                        self._publish_due(model, outputs)
            except RaisedError as error:
                self._policy_slots = slots  # of what was published meanwhile nothing is written
                await self._learn_again(batch, records, error)
                return self.interactions.offset
            await worked()
            await self._write(outputs)
        return None

    def _parts(self, records: Sequence[LogRecord]) -> Iterator[Sequence[LogRecord]]:
        """Yield what is learned together."""
        alone = [record for record in records if record.offset < self._alone_before]
        yield from ([record] for record in alone)
        yield from parts(records[len(alone) :])

    async def _arrived(self, records: Sequence[LogRecord]) -> ArrivedInteractions:
        """Read records; what no join can have written is refused."""
        arrivals = self._reader.read([record.value for record in records])
        if self._impressions_log is None:
            return arrivals
        rows = [row for row in range(len(records)) if row not in arrivals.refused]
        sources = [arrivals.read[row].source for row in rows]
        unfounded = await self._impressions_log.unfounded(self._ledger, sources)
        if not unfounded:
            return arrivals
        refused = {rows[place]: Refusal(Reason.NOT_LOGGED, why) for place, why in unfounded.items()}
        return arrivals._replace(refused={**arrivals.refused, **refused})

    def _take_part(
        self, records: Sequence[LogRecord], arrivals: ArrivedInteractions, outputs: Outputs
    ) -> Iterator[str]:
        """Learn from records; yield each model when a policy of it is due."""
        for model, rows in self._admitted(records, arrivals, outputs).items():
            yield from self._learn(model, Stretch(arrivals, rows), outputs)

    async def _learn_again(self, batch: RecordBatch, records: Sequence[LogRecord], raised: RaisedError) -> None:
        """Go back to what is durable, and find out what raised, or learn without it where that is known."""
        error = raised.__cause__
        if self._newest_checkpoint is None or not isinstance(error, Exception):
            raise raised
        offset = records[0].offset
        if len(records) == 1:
            self._poison[offset] = poison(error)
        self._alone_before = max(self._alone_before, batch.next_offset)
        LOG.error(
            "learning raised: going back to the last checkpoint",
            partition=self.partition,
            offset=offset,
            records=len(records),
            exc_info=error,
        )
        self.close()
        self._begin(await self._newest_checkpoint(self.partition))

    async def _write(self, outputs: Outputs) -> None:
        """Write what a step brought about, unless it is for another worker to do."""
        if await self._kept():
            await outputs.flush()
            self._delays.acknowledged(time.time())
        else:
            self._steps.abandon()

    def _admitted(
        self, records: Sequence[LogRecord], arrivals: ArrivedInteractions, outputs: Outputs
    ) -> Mapping[str, list[int]]:
        """Return by model which of the interactions are new, and write down which records are none."""
        for row, refusal in arrivals.refused.items():
            self._refuse(records[row], refusal, outputs)
        read = arrivals.read
        rows: Sequence[int] = range(len(read))
        if arrivals.refused:
            rows = [row for row in rows if row not in arrivals.refused]
        admitted = self._ledger.admit_all([read[row].source for row in rows])
        if self._poison:
            poisonous = [records[row].offset in self._poison for row in rows]
            for row in compress(rows, poisonous):
                self._refuse(records[row], self._poison[records[row].offset], outputs)
            fine = [not one for one in poisonous]
            rows, admitted = list(compress(rows, fine)), list(compress(admitted, fine))
        if repeated := admitted.count(False):
            self._metrics.repeated(repeated)
            rows = list(compress(rows, admitted))
        new: defaultdict[str, list[int]] = defaultdict(list)
        for row in rows:
            new[read[row].impression.model].append(row)
        return new

    def _refuse(self, record: LogRecord, refusal: Refusal, outputs: Outputs) -> None:
        topic = self._settings.topics.interactions
        refusal = unread(record) if isinstance(record, UnreadRecords) else refusal
        record = as_it_came(record)
        outputs.dead_letter(Place(topic, self.partition, record.offset), record.key, record.value, refusal)
        self._metrics.refused(topic, refusal.reason)

    def _learn(self, model: str, interactions: Stretch, outputs: Outputs) -> Iterator[str]:
        """Learn in stretches that end where a policy is due, so that its version does not depend on the batches.

        Yields the model each time.
        """
        learner, publication = self._learner(model), self._publications[model]
        begin = 0
        while begin < len(interactions):
            stretch = interactions[begin : begin + publication.due - learner.interactions_included]
            begin += len(stretch)
            try:
                rewards = learner.learn_stretch(stretch)
                self._worths[model].learned(stretch, rewards)
            except NO_EVIDENCE:
                raise
            except Exception as error:
                raise RaisedError from error
            with self._metrics.looking_on("learning"):
                self._metrics.learned(self.partition, model, stretch, rewards, learner.statistics)
                self._delays.learned(model, rewards, time.time())
                self._metrics.forgot(model, learner.forgotten)
                self._metrics.assumed(model, learner.violated)
                self._metrics.leaking(self.partition, model, learner.leaking)
            outputs.rewards(self.partition, rewards)
            if learner.interactions_included == publication.due:
                yield model

    def _publish_due(self, model: str, outputs: Outputs) -> None:
        learner, publication = self._learners[model], self._publications[model]
        weights = self._publish(model, outputs)
        if publication.version == learner.version:
            publication.parent = publication.version
        publication.due += max(self._settings.learning.publish_interactions, weights // WEIGHTS_PER_INTERACTION)

    def _learner(self, model: str) -> Learner:
        if model not in self._learners:
            self._add(model, learner_for(self._settings.models[model]))
        return self._learners[model]

    def _add(self, model: str, learner: Learner) -> None:
        self._learners[model] = learner
        settings = self._settings
        self._worths[model] = ModelWorth(
            settings.models[model], settings.segments.get(model), self._worth_states.get(model)
        )
        self._publications.setdefault(model, Publication(self._settings.learning.publish_interactions))
        self._metrics.follow(self.partition, model, learner.statistics)
        self._metrics.leaking(self.partition, model, learner.leaking)

    def take_in(self, model: str, contributions: Sequence[Contribution]) -> None:
        """Let the learner of a sharded model take in what the other partitions' shards contributed so far."""
        if not self._is_new(model, contributions):
            return
        learner = self._learner(model)
        assert isinstance(learner, ShardLearner)
        learner.take_in(contributions)
        self._taken_in[model] = contributions

    def take_worths(self, model: str, worths: Sequence[Mapping[str, Any]]) -> None:
        """Let what the signals of a sharded model are worth include what the other partitions' shards saw so far."""
        self._worths_of_others[model] = worths

    def worth(self, model: str) -> WorthTable | None:
        """Return what the signals of a model are worth, if this partition is the one that says so."""
        if model not in self._worths or not self._publishes(model):
            return None
        learner = self._learners[model]
        return self._worths[model].table(learner.version, self._worths_of_others.get(model, ()), learner.leaking)

    def _is_new(self, model: str, contributions: Sequence[Contribution]) -> bool:
        taken = self._taken_in.get(model, ())
        return len(taken) != len(contributions) or any(
            new is not old for new, old in zip(contributions, taken, strict=True)
        )

    def _publishes(self, model: str) -> bool:
        """Say whether this partition publishes the model: of shards, the one does on which its name lies."""
        partitions = self._settings.topics.interaction_partitions
        sharded = self._settings.models[model].sharded_by is not None
        return not sharded or contract_partition(model.encode(), partitions) == self.partition

    def _publish(self, model: str, outputs: Outputs) -> int:
        """Write the policy of this moment, if that is for this partition to do; return how many weights it has.

        None is written of which nothing has been learned: by it apps would do what they do without one.
        """
        learner, publication = self._learners[model], self._publications[model]
        self._unpublished_since.pop(model, None)
        publishes = self._publishes(model)
        self._delays.published(model, here=publishes)
        if not publishes:
            publication.version = learner.version
            return 0
        snapshot = learner.snapshot(publication.parent)
        weights = sum(len(table.indices) for table in (snapshot.bandit, snapshot.inverse_kinematics) if table)
        if not (weights or learner.statistics.learned):
            return 0
        publication.version = learner.version
        if lineage := self._lineages.get(model):
            snapshot = msgspec.structs.replace(snapshot, lineage=lineage)
        value = policy.encode(snapshot)
        records, self._policy_slots[model] = split(model.encode(), value, self._policy_slots[model])
        outputs.policy(records)
        publication.published_at = time.time()
        with self._metrics.looking_on("publishing"):
            self._metrics.published(snapshot, publication.published_at, len(value))
        LOG.debug("policy published", model=model, partition=self.partition, policy_version=snapshot.version)
        return weights

    async def let_time_pass(self, now: float) -> None:
        """Publish policies that have waited long enough, and write a checkpoint if one is due.

        `now` is in seconds, of a clock that never goes back.
        """
        if self.abandoned:
            return
        outputs, published = self._outputs(), False
        with self._steps:
            for model, learner in self._learners.items():
                if learner.version == self._publications[model].version:
                    continue
                if now - self._unpublished_since.setdefault(model, now) >= self._settings.learning.publish_seconds:
                    self._publish(model, outputs)
                    published = True
            if published:
                await self._write(outputs)
        if self.interactions.offset == self.durable_offset:
            return
        if self._unsaved_since is None:
            self._unsaved_since = now
            self._metrics.unsaved(self.partition)
        stretched = min(STRETCH * self._seconds_to_encode, LONGEST_STRETCH)
        if now - self._unsaved_since >= max(self._settings.learning.checkpoint_seconds, stretched):
            await self.write_checkpoint()

    async def write_checkpoint(self) -> None:
        """Write a checkpoint if there is anything new, and return when it is durable.

        After a step that was not finished there is nothing to vouch for: none is written. Nor is one of a partition
        that another worker may have gone on with.
        """
        offset = self.interactions.offset
        if offset == self.durable_offset or self._steps.unfinished:
            return
        started = time.monotonic()
        learned = {name: learner.state() for name, learner in self._learners.items()}
        states = dict(sorted((self._unconfigured | learned).items()))
        worths = dict(sorted((self._worth_states | {name: one.state() for name, one in self._worths.items()}).items()))
        tables = [table for table in map(self.worth, self._worths) if table is not None and table.rows]
        # A large state takes seconds to compress. It is a copy; publications do not change under the partition's lock.
        checkpoint = Checkpoint(
            offset, self._ledger.state(), states, self._publications, worths, self._lineages, self._interactions_topic
        )
        value = await asyncio.to_thread(learner_checkpoints.encode, checkpoint)
        self._seconds_to_encode = time.monotonic() - started
        if not await self._kept():
            return
        outputs = self._outputs()
        records, self._slot = split(CHECKPOINT_KEY, value, self._slot)
        for table in tables:
            outputs.signal_worth(table)
            self._metrics.worth(table)
        pasts = {name: self._metrics.pasts.kept(name) for name in self._learners if self._publishes(name)}
        outputs.checkpoint(self.partition, [(past_key(name), past) for name, past in pasts.items() if past] + records)
        await outputs.flush()
        self.durable_offset, self._unsaved_since = offset, None
        self._poison = {one: refusal for one, refusal in self._poison.items() if one >= offset}
        self._metrics.checkpointed(self.partition, len(value), time.monotonic() - started)
        LOG.debug("checkpoint written", partition=self.partition, offset=offset, bytes=len(value))

    def close(self) -> None:
        """Withdraw the gauges of a partition that goes to another worker."""
        published = [model for model in self._learners if self._publishes(model)]
        self._metrics.drop(self.partition, list(self._learners), published)
