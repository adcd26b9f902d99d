"""The newest policy of a model and its control, followed on Kafka in a thread, and what an app decides by them."""

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
from kafka.errors import KafkaError, KafkaTimeoutError

from groundswell.chunks import is_chunk
from groundswell.client.acting import Acting, Deciding
from groundswell.client.arguments import PATIENCE, check_topics, checked
from groundswell.client.canary_watch import CanaryWatch
from groundswell.client.decisions import Basis, Decision, decide
from groundswell.client.kept_snapshot import KeptControl, KeptSnapshot
from groundswell.client.reaching import Attempts
from groundswell.client.readable_records import pass_over_unreadable
from groundswell.client.slots import Slot, decide_slots
from groundswell.client.told import Own, check
from groundswell.controls import Control, Mode, NewestControl
from groundswell.events import Action, FeatureValue
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import Policy, PolicySnapshot
from groundswell.signatures import Verifier

_LOG: Final = logging.getLogger(__name__)
POLL_SECONDS: Final = 0.2
ASK_SECONDS: Final = 5.0
"""How often the broker is asked where the topic ends: a client that is only polled does not say that nobody answers."""
ANSWER_SECONDS: Final = 10.0
"""How long it has to answer. Where a topic is gone the client would ask on, for as long as it may."""
RETRY_SECONDS: Final = 1.0
CLOSE_SECONDS: Final = 5.0
MOST_NAMES: Final = 5


class Matches(NamedTuple):
    """Of an app's decisions in the mode `apprentice`: how many there were while there was a policy, and of how many the
    newest policy ranked the same first (of several that are first each counts its share).
    """

    decisions: int
    matched: float


class Following(NamedTuple):
    """Of the topics: whether it is read to its end, and goes on to be, and what is wrong, if anything."""

    up_to_date: bool
    problem: str | None


_FORKED: Final = Following(
    up_to_date=False,
    problem="the process was forked after these policies were made, and nothing follows them in it: make them in each "
    "process (gunicorn: in `post_fork`)",
)


class Policies:
    """Decides by the newest policy of a model; never waits for Kafka, and never fails because of it.

        with Policies("localhost:9092", "feed", keep="feed-policy.json") as policies:
            decision = policies.decide({"user": "ann"}, [Action("news"), Action("sport")])

    A thread reads the topic from its beginning and then on. A policy that is damaged or older is passed over, and so is
    what no client can read; the last good one goes on. Until the first one comes actions are drawn uniformly;
    `Decision.basis` says so.

    It follows the topic `controls`, too: a control may have the app decide by a rule of its own (`own`), by the newest
    policy for some people only, or by an older one (`groundswell/controls.py`). Without one, or where there is no such
    topic that this client may see, the newest policy decides. Until it is known whether there is one, no policy does.

    With `keep`, a file, the last policy is there as well for an app that starts while Kafka is away, and the last
    control and its snapshot in two files beside it. With a `verifier` only what one of its keys has signed is believed;
    the files are the app's own, and are. `kafka` are arguments of kafka-python's `KafkaConsumer` (security, time-outs).

    Raises:
        TypeError: kafka-python does not know one of these arguments, or `verifier` is none.
        ValueError: the model has no name, `bootstrap_servers` are no addresses, or `topic` or
            `controls` is no name of a topic.
    """

    def __init__(
        self,
        bootstrap_servers: str | Sequence[str],
        model: str,
        *,
        topic: str = "policies",
        controls: str = "controls",
        keep: str | Path | None = None,
        verifier: Verifier | None = None,
        **kafka: Any,
    ) -> None:
        self._newest, self._controls = NewestSnapshot(model, verifier), NewestControl(model, verifier)
        check_topics(topic=topic, controls=controls)
        self._model, self._topic, self._controls_topic, self._verifier = model, topic, controls, verifier
        # A client that makes topics by asking for them would make `controls` as no `topics create` does.
        own = {"bootstrap_servers": bootstrap_servers, "allow_auto_create_topics": False}
        self._arguments = checked(KafkaConsumer, {**own, **PATIENCE, **kafka})
        self._others: set[str] = set()
        self._following = Following(up_to_date=False, problem=None)
        self._stopping, self._read = threading.Event(), threading.Event()
        self._counting = threading.Lock()
        self._matches = Matches(0, 0.0)
        self._canary = CanaryWatch()
        self._kept = None if keep is None else _Kept(Path(keep), model)
        self._acting = Acting() if self._kept is None else self._kept.read()
        self._thread = threading.Thread(target=self._follow, name=f"policies of {model}", daemon=True)
        self._thread.start()

    def decide(
        self,
        context: Mapping[str, FeatureValue],
        actions: Sequence[Action],
        impression_id: str | None = None,
        *,
        own: Own | None = None,
    ) -> Decision:
        """Draw one of the actions by the policy of this moment, or as the control of the model says.

        `own` is what the app's own rule would show: an action, its id, or the probability of each by which it draws (of
        a rule without chance nothing is learned about what it never shows). It decides where the control says so, and
        where there is no policy to decide by.

        Raises:
            ValueError: there are no actions, or two of the same id, or a feature is a number that is not finite, or
                `own` is none of the actions, or no probabilities of them.
            TypeError: context, actions or one of their features is nothing that an impression can hold, or `own` is
                something else.
        """
        acting = self._acting  # once: the thread may put another in its place meanwhile
        if acting.control is not None and acting.control.canary is not None:
            check(context, actions)  # before it is asked who this is
            self._watch(acting.control, context)
        chosen = acting.chosen(context, self._basis_of(acting.newest))
        decision = decide(
            self._model,
            chosen.policy,
            chosen.basis,
            context,
            actions,
            impression_id,
            own=own,
            mode=chosen.mode,
            side=chosen.side,
            beside=chosen.beside,
        )
        self._count(decision)
        return decision

    def decide_slots(
        self,
        context: Mapping[str, FeatureValue],
        actions: Sequence[Action],
        slots: Sequence[Slot | str],
        decision_id: str | None = None,
        *,
        own: Sequence[str | Action] | None = None,
        repeats: bool = False,
    ) -> list[Decision]:
        """Draw an action for each slot, by what would decide in this context: a decision for each, in their order.

        No action stands in two slots unless it `repeats`: the actions of a decision are those that the slots before it
        have left, and its probabilities those given what these show. The slot is part of its context, as the feature
        `slot` (its id) and those of its own, `slot.NAME`. Each is shown and answered by itself, with the impression id
        DECISION/NUMBER. `own` is what the app's own rule would show: an action, or its id, for each slot.

        Raises what `decide` does, and
            ValueError: there are no slots or too many, two of the same id, fewer actions than slots where none
                `repeats`, the context has features of a slot already, or `own` is no action for each slot.
            TypeError: a slot is neither a `Slot` nor an id.
        """
        acting = self._acting
        check(context, actions)
        if acting.control is not None:
            self._watch(acting.control, context)
        chosen = acting.chosen(context, self._basis_of(acting.newest))
        decisions = decide_slots(self._model, chosen, context, actions, slots, decision_id, own=own, repeats=repeats)
        for decision in decisions:
            self._count(decision)
        return decisions

    # Where the process was forked, nobody lets go of a lock that another thread held in that moment.
    def _watch(self, control: Control, context: Mapping[str, FeatureValue]) -> None:
        if not self._forked:
            self._canary.saw(control, context)

    def _count(self, decision: Decision) -> None:
        if decision.agreed is not None and not self._forked:
            with self._counting:
                self._matches = Matches(self._matches.decisions + 1, self._matches.matched + decision.agreed)

    @property
    def basis(self) -> Basis:
        """What a decision is made by at this moment where the newest policy decides."""
        return self._basis_of(self._acting.newest)

    @property
    def deciding(self) -> Deciding:
        """What decisions are made by at this moment, as the control of the model has it."""
        acting = self._acting
        return acting.deciding(self._basis_of(acting.newest))

    @property
    def policy(self) -> Policy:
        """The newest policy of this moment."""
        return self._acting.newest

    @property
    def control(self) -> Control | None:
        """The control of this moment; None where there is none, or it is not known yet."""
        return self._acting.control

    @property
    def mode(self) -> Mode | None:
        """The mode of this moment, `online` without a control; None while it is not known whether there is one."""
        return self._acting.mode

    @property
    def matches(self) -> Matches:
        """How often the newest policy agreed with the app's own rule, in the mode `apprentice`."""
        return self._matches

    @property
    def following(self) -> Following:
        """How it is to follow the topics at this moment."""
        if not self._forked:
            return self._following
        self._note(_FORKED)
        return _FORKED

    @property
    def refused(self) -> int:
        """How often what lies on the topic was passed over: damaged, not signed, or nothing that can be read."""
        return self._newest.refused

    def wait(self, seconds: float) -> bool:
        """Wait until the topics have been read to their end once, that long at the most; return whether they were."""
        return self._read.wait(seconds)

    def close(self) -> None:
        """Stop following; decisions go on by the control and the policy of now, which is then the `last_known`. Closing
        once more changes nothing.
        """
        if not (self._stopping.is_set() or self._forked):
            self._stopping.set()
            self._thread.join(CLOSE_SECONDS)
            self._following = Following(up_to_date=False, problem=None)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def _forked(self) -> bool:
        """Whether this is another process than the one that follows: nothing else ends the thread."""
        return not self._thread.is_alive() and not self._stopping.is_set()

    def _basis_of(self, policy: Policy) -> Basis:
        if policy.version == 0:
            return "uniform"
        return "policy" if self.following.up_to_date else "last_known"

    def _follow(self) -> None:
        attempts = Attempts(_LOG, self._arguments)
        while not self._stopping.is_set():
            try:
                client = KafkaConsumer(**attempts.arguments(), group_id=None, enable_auto_commit=False)
            except Exception as error:  # as below
                if not self._stopping.is_set():
                    self._following = Following(up_to_date=False, problem=attempts.failed(error))
                    self._stopping.wait(RETRY_SECONDS)
                continue
            attempts.succeeded()
            try:
                with closing(client) as consumer:
                    self._read_on(pass_over_unreadable(consumer, self._newest.pass_over))
            except Exception as error:  # whatever it is: decisions go on, and it is tried again
                if self._stopping.is_set():
                    break
                problem = f"the topic {self._topic} cannot be read: {error or type(error).__name__}; trying again"
                self._note(Following(up_to_date=False, problem=problem))
                self._stopping.wait(RETRY_SECONDS)

    def _read_on(self, consumer: KafkaConsumer) -> None:
        """Read from the beginning and then on, until it is to stop, or there are controls where there were none.

        Raises what the client does.
        """
        places = self._places_of_policies(consumer)
        controls = self._places(consumer, self._controls_topic)
        places = [*places, *controls]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        # By those that were read before, all but the last would be passed over as older ones.
        self._controls = NewestControl(self._model, self._verifier)
        ends, asked = _ends(consumer, places), time.monotonic()
        known = not controls
        while not self._stopping.is_set():
            for records in consumer.poll(timeout_ms=round(1000 * POLL_SECONDS)).values():
                for record in records:
                    self._take(record)
            # Controls that have followed one another since are one: nobody acts by those between.
            known = known or all(consumer.position(one) >= ends[one] for one in controls)
            at_the_end = all(consumer.position(one) >= ends[one] for one in places)
            if known:
                self._put_together(at_the_end=at_the_end)
            if at_the_end:
                self._at_the_end()
            if time.monotonic() - asked > ASK_SECONDS:
                self._places_of_policies(consumer)
                ends, asked = _ends(consumer, places), time.monotonic()
                if not controls and self._places(consumer, self._controls_topic):
                    return

    def _places_of_policies(self, consumer: KafkaConsumer) -> list[TopicPartition]:
        if places := self._places(consumer, self._topic):
            return places
        raise KafkaError(
            "there is no such topic, or this client may not see it. `groundswell topics create` makes it; where Kafka "
            "was started on other data, start it on the old data again"
        )

    def _places(self, consumer: KafkaConsumer, topic: str) -> list[TopicPartition]:
        return [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]

    def _take(self, record: Any) -> None:
        if record.topic == self._controls_topic:
            self._controls.offer(record.key, record.value, record.headers)
        else:
            self._note_model(record.key)
            self._newest.offer(record.key, record.value, record.headers)

    def _note_model(self, key: bytes | None) -> None:
        # For the message alone: a few names are enough, and what lies in chunks has its name on a record of its own.
        if key is not None and not is_chunk(key) and len(self._others) < MOST_NAMES:
            self._others.add(key.decode(errors="replace")[:100])

    def _at_the_end(self) -> None:
        problem = None
        if self._newest.snapshot is None and self._others and self._model not in self._others:
            there = ", ".join(repr(one) for one in sorted(self._others))
            problem = f"{self._topic} holds no policy of the model {self._model!r}, but of {there}: is that its name?"
        elif (lacked := self._acting.lacks()) is not None:
            problem = (
                f"the control of {self._model!r} names version {lacked}, which is not beside it on "
                f"{self._controls_topic}: no policy decides where it should. Set it anew (`groundswell control set`)"
            )
        else:
            problem = self._canary.problem(self._acting.control)
        self._note(Following(up_to_date=True, problem=problem))
        self._read.set()

    def _put_together(self, *, at_the_end: bool) -> None:
        """Let decisions go by what has been read, all of it at once."""
        before = self._acting
        snapshot, control, pinned = self._newest.snapshot, self._controls.control, self._controls.pinned
        newest = before.newest
        # A policy that was kept decides until the topic is read to its end: one before it is on the way to the newest.
        if snapshot is not None and not at_the_end and snapshot.version < newest.version:
            snapshot = None
        if snapshot is not None and snapshot.version != newest.version:
            newest = Policy(snapshot)
        acting = before._replace(newest=newest).by(control, pinned)
        # Before anything is decided by it: who is killed and starts anew goes back to no older control.
        if self._kept is not None and acting != before:
            self._kept.write(before, acting, snapshot, pinned)
        self._acting = acting

    def _note(self, following: Following) -> None:
        if following.problem not in (None, self._following.problem):
            _LOG.warning("%s", following.problem)
        self._following = following


def _ends(consumer: KafkaConsumer, places: list[TopicPartition]) -> dict[TopicPartition, int]:
    try:
        ends: dict[TopicPartition, int] = consumer.end_offsets(places, timeout_ms=round(1000 * ANSWER_SECONDS))
    except KafkaTimeoutError as error:
        raise KafkaTimeoutError(f"no broker has said within {ANSWER_SECONDS:.0f} s where it ends") from error
    return ends


class _Kept:
    """What is kept on disk: the newest policy, and beside it the control and its snapshot."""

    def __init__(self, path: Path, model: str) -> None:
        self._newest = KeptSnapshot(path, model)
        self._pinned = KeptSnapshot(path.with_name(f"{path.name}.pinned"), model)
        self._control = KeptControl(path.with_name(f"{path.name}.control"), model)
        self._version_there: int | None = None
        self._control_there: Control | None = None

    def read(self) -> Acting:
        newest, control = self._newest.read(), self._control.read()
        pinned = None if control is None or control.policy_version is None else self._pinned.read()
        self._version_there = None if newest is None else newest.version
        self._control_there = control
        # A control that is there and cannot be used may be one by which no policy must decide.
        known = control is not None or (newest is not None and not self._control.is_there)
        return Acting(Policy(newest), Policy(pinned), control, known=known)

    def write(self, before: Acting, now: Acting, newest: PolicySnapshot | None, pinned: PolicySnapshot | None) -> None:
        """Write what is not there yet: what the control names before it, and the newest policy, which without a control
        would decide, after it.
        """
        if pinned is not None and now.pinned is not before.pinned:
            self._pinned.write(pinned)
        if now.control is not None and now.control != self._control_there:
            if not self._control.write(now.control):
                return
            self._control_there = now.control
        if newest is not None and newest.version != self._version_there:
            self._newest.write(newest)
            self._version_there = newest.version
