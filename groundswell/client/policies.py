"""The newest policy of a model, followed on Kafka by a thread of its own, and what an app decides by it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple, Self

from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from groundswell.chunks import is_chunk
from groundswell.client.arguments import PATIENCE, check_topics, checked
from groundswell.client.decisions import Basis, Decision, decide
from groundswell.client.kept_snapshot import KeptSnapshot
from groundswell.events import Action, FeatureValue
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import Policy
from groundswell.signatures import Verifier

_LOG: Final = logging.getLogger(__name__)
POLL_SECONDS: Final = 0.2
ASK_SECONDS: Final = 5.0
"""How often the broker is asked where the topic ends: a client that is only polled does not say that nobody answers."""
RETRY_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 5.0
MOST_NAMES: Final = 5


class Following(NamedTuple):
    """Of the topic: whether it is read to its end, and goes on to be, and what is wrong, if anything."""

    up_to_date: bool
    problem: str | None


class Policies:
    """Decides by the newest policy of a model; never waits for Kafka, and never fails because of it.

        with Policies("localhost:9092", "feed", keep="feed-policy.json") as policies:
            decision = policies.decide({"user": "ann"}, [Action("news"), Action("sport")])

    A thread reads the topic from its beginning and then on. A policy that is damaged or older is passed over, and the
    last good one goes on. Until the first one comes actions are drawn uniformly; `Decision.basis` says so. With
    `keep`, a file, the last policy is there as well for an app that starts while Kafka is away. With a `verifier` only
    what one of its keys has signed is believed; the file is the app's own, and is. `kafka` are
    arguments of kafka-python's `KafkaConsumer` (security, time-outs).

    Raises:
        TypeError: kafka-python does not know one of these arguments, or `verifier` is none.
        ValueError: the model has no name, `bootstrap_servers` are no addresses, or `topic` is no name of one.
    """

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        model: str,
        *,
        topic: str = "policies",
        keep: str | Path | None = None,
        verifier: Verifier | None = None,
        **kafka: Any,
    ) -> None:
        self._newest = NewestSnapshot(model, verifier)
        check_topics(topic=topic)
        self._model, self._topic = model, topic
        self._arguments = checked(KafkaConsumer, {"bootstrap_servers": bootstrap_servers, **PATIENCE, **kafka})
        self._kept = None if keep is None else KeptSnapshot(Path(keep), model)
        self._others: set[str] = set()
        self._policy = Policy.uniform()
        self._following = Following(up_to_date=False, problem=None)
        self._stopping, self._read = threading.Event(), threading.Event()
        if self._kept is not None and (found := self._kept.read()) is not None:
            self._policy = Policy(found)
        self._thread = threading.Thread(target=self._follow, name=f"policies of {model}", daemon=True)
        self._thread.start()

    def decide(
        self,
        context: Mapping[str, FeatureValue],
        actions: Sequence[Action],
        impression_id: str | None = None,
    ) -> Decision:
        """Draw one of the actions by the policy of this moment.

        Raises:
            ValueError: there are no actions, or two of the same id, or a feature is a number that is not finite.
            TypeError: context, actions or one of their features is nothing that an impression can hold.
        """
        policy = self._policy  # once: the thread may put another in its place meanwhile
        return decide(self._model, policy, self._basis_of(policy), context, actions, impression_id)

    @property
    def basis(self) -> Basis:
        """What decisions are made by at this moment."""
        return self._basis_of(self._policy)

    @property
    def policy(self) -> Policy:
        """The policy of this moment."""
        return self._policy

    @property
    def following(self) -> Following:
        """How it is to follow the topic at this moment."""
        return self._following

    def wait(self, seconds: float) -> bool:
        """Wait until the topic has been read to its end once, that long at the most; return whether it was."""
        return self._read.wait(seconds)

    def close(self) -> None:
        """Stop following; decisions go on by the policy of now. Closing once more changes nothing."""
        if not self._stopping.is_set():
            self._stopping.set()
            self._thread.join(CLOSE_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _basis_of(self, policy: Policy) -> Basis:
        if policy.version == 0:
            return "uniform"
        return "policy" if self._following.up_to_date else "last_known"

    def _follow(self) -> None:
        while not self._stopping.is_set():
            try:
                with closing(KafkaConsumer(**self._arguments, group_id=None, enable_auto_commit=False)) as consumer:
                    self._read_on(consumer)
            except Exception as error:  # whatever it is: decisions go on, and it is tried again
                if self._stopping.is_set():
                    break
                problem = f"the topic {self._topic} cannot be read: {error or type(error).__name__}; trying again"
                self._note(Following(up_to_date=False, problem=problem))
                self._stopping.wait(RETRY_SECONDS)

    def _read_on(self, consumer: KafkaConsumer) -> None:
        """Read from the beginning and then on, until it is to stop. Raises what the client does."""
        numbers = consumer.partitions_for_topic(self._topic)
        if not numbers:
            raise KafkaError("there is no such topic, or this client may not see it (`groundswell topics create`)")
        places = [TopicPartition(self._topic, number) for number in sorted(numbers)]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends, asked = consumer.end_offsets(places), time.monotonic()
        while not self._stopping.is_set():
            for records in consumer.poll(timeout_ms=round(1000 * POLL_SECONDS)).values():
                for record in records:
                    self._note_model(record.key)
                    self._newest.offer(record.key, record.value, record.headers)
            self._take_newest()
            if all(consumer.position(one) >= ends[one] for one in places):
                self._at_the_end()
            if time.monotonic() - asked > ASK_SECONDS:
                ends, asked = consumer.end_offsets(places), time.monotonic()

    def _note_model(self, key: bytes | None) -> None:
        # For the message alone: a few names are enough, and what lies in chunks has its name on a record of its own.
        if key is not None and not is_chunk(key) and len(self._others) < MOST_NAMES:
            self._others.add(key.decode(errors="replace")[:100])

    def _at_the_end(self) -> None:
        problem = None
        if self._newest.snapshot is None and self._others and self._model not in self._others:
            there = ", ".join(repr(one) for one in sorted(self._others))
            problem = f"{self._topic} holds no policy of the model {self._model!r}, but of {there}: is that its name?"
        self._note(Following(up_to_date=True, problem=problem))
        self._read.set()

    def _take_newest(self) -> None:
        snapshot = self._newest.snapshot
        if snapshot is not None and snapshot.version != self._policy.version:
            self._policy = Policy(snapshot)
            if self._kept is not None:
                self._kept.write(snapshot)

    def _note(self, following: Following) -> None:
        if following.problem not in (None, self._following.problem):
            _LOG.warning("%s", following.problem)
        self._following = following
