"""What simulated apps log when people use them: impressions, feedback and the mishaps of real delivery.

Pure: the time and what decides are passed in, randomness is seeded, and messages come out with the moment at which
each is due to be logged. `simulated_apps` logs them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from experiments.people.app_faults import NO_FAULTS, Faults
from experiments.people.three_state import ThreeStateUsers
from groundswell.client.decisions import Decision
from groundswell.events import NONE_SIGNAL, Action, Features, FeatureValue
from groundswell.exploration import draw


def known_context(user: int) -> Features:
    """Return what the apps know about a user."""
    return {"user": f"user-{user}"}


def offered_actions(count: int) -> list[Action]:
    """Return what the apps can show."""
    return [Action(id=f"action-{number}") for number in range(count)]


class ActingPolicy(Protocol):
    """What apps act by, and what can be said of its worth."""

    @property
    def version(self) -> int:
        """The number of interactions that the policy has learned from."""

    def probabilities(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> Sequence[float]:
        """Return how likely each action is to be shown, exploration included."""

    def greedy(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> Sequence[float]:
        """Return the same without exploration, what is ranked first equally sharing it."""


Decide = Callable[[Mapping[str, FeatureValue], Sequence[Action], str], Decision]
"""From a context, actions and the id of an impression to a decision, as `groundswell.client.Policies.decide` does."""


def deciding_by(model: str, policy: ActingPolicy, chance: random.Random) -> Decide:
    """Return what decides by one policy with this chance: the same seed makes the same decisions."""

    def decide(context: Mapping[str, FeatureValue], actions: Sequence[Action], impression_id: str) -> Decision:
        probabilities = list(policy.probabilities(context, actions))
        return Decision(
            model=model,
            impression_id=impression_id,
            context=context,
            actions=actions,
            index=draw(probabilities, chance.random()),
            probabilities=probabilities,
            policy_version=policy.version or None,
            basis="policy" if policy.version else "uniform",
        )

    return decide


class Log(Protocol):
    """Where apps log, as `groundswell.client.EventLog` is one."""

    def shown(self, decision: Decision, *, occurred_at: int) -> object:
        """Log what was shown."""

    def feedback(self, impression_id: str, signal: str, *, feedback_id: str, occurred_at: int) -> object:
        """Log what came back."""


@dataclass(frozen=True)
class Arrival:
    """Somebody to whom one of the actions is to be shown; `number` counts arrivals from 0 on."""

    number: int
    user: int
    context: Features
    actions: Sequence[Action]
    impression_id: str

    def decided(self, decide: Decide) -> Decision:
        """Return what is decided for them."""
        return decide(self.context, self.actions, self.impression_id)


@dataclass(frozen=True)
class Message:
    """One message: when it is due to be logged, and when it occurred, both in milliseconds."""

    due: int
    occurred_at: int


@dataclass(frozen=True)
class Showing(Message):
    """Something was shown."""

    decision: Decision

    def write_to(self, log: Log) -> None:
        """Log it."""
        log.shown(self.decision, occurred_at=self.occurred_at)


@dataclass(frozen=True)
class Answer(Message):
    """Somebody answered what was shown, or it did so by itself."""

    impression_id: str
    signal: str

    def write_to(self, log: Log) -> None:
        """Log it; a repeat has the same id."""
        name = f"{self.impression_id}-{self.signal}"
        log.feedback(self.impression_id, self.signal, feedback_id=name, occurred_at=self.occurred_at)


@dataclass(frozen=True, kw_only=True)
class Mishaps:
    """How often delivery goes wrong, as probabilities per message.

    `repeated_*`: sent twice, byte for byte. `held`: sent after messages that occurred later. `early`: the
    feedback is sent before its impression. `late`: the user answers after the join's wait and grace.
    """

    repeated_impression: float = 0.005
    repeated_feedback: float = 0.02
    held: float = 0.03
    early: float = 0.02
    late: float = 0.005


class Produced(msgspec.Struct):
    """How much the apps have made, each id counted once unless the name says otherwise."""

    impressions: int = 0
    feedback: int = 0
    repeated_impressions: int = 0
    repeated_feedback: int = 0
    held: int = 0
    early: int = 0
    late: int = 0


AUTOPLAY = "autoplay"
AUTOPLAYED = 0.5
"""So many impressions of a video that plays by itself do: others are scrolled past before it starts."""
STARTS = (0.0, 0.1)
"""When it starts, as parts of the join's wait."""


class AppSessions:
    """The sessions of all simulated people with all simulated apps.

    `wait` and `grace` (milliseconds) are the join's: feedback comes within .8 of the wait, messages are held
    back for less than .6 of the grace, and late feedback comes after both. `run` starts every impression id and
    makes it unique across runs against one broker. With more than one of `platforms` the apps also know by which one
    people come, the first of them by the first. The first `autoplaying` actions are videos that play by themselves:
    half of their impressions bring the signal `AUTOPLAY`, whatever people think of them, beside what these do.
    """

    def __init__(
        self,
        users: ThreeStateUsers,
        *,
        run: str,
        seed: int,
        wait: int,
        grace: int,
        mishaps: Mishaps = Mishaps(),
        faults: Faults = NO_FAULTS,
        platforms: int = 1,
        autoplaying: int = 0,
    ) -> None:
        self.users = users
        self.produced = Produced()
        self.last_occurred_at = 0
        """The latest event time of anything made so far, in milliseconds."""
        self._run = run
        self._random = random.Random(seed)
        self._wait = wait
        self._grace = grace
        self._mishaps = mishaps
        self._faults = faults
        self._platforms = platforms
        self._autoplaying = autoplaying
        self._actions = offered_actions(users.actions)

    def show(self, now: int, decide: Decide) -> list[Showing | Answer]:
        """Show the next person one action at time `now` and return all messages that come of it."""
        arrival = self.arrive()
        return self.shown(now, arrival, arrival.decided(decide))

    def arrive(self) -> Arrival:
        """Return the next person."""
        user, number = self.users.arrive(), self.produced.impressions
        self.produced.impressions += 1
        return Arrival(number, user, self.context(user), self._actions, f"{self._run}-{number}")

    def shown(self, now: int, arrival: Arrival, decision: Decision) -> list[Showing | Answer]:
        """Return all messages that come of showing somebody what was decided, at time `now`."""
        faults = self._faults if arrival.number >= self._faults.after else NO_FAULTS
        user, chosen = arrival.user, decision.index
        honest = self.users.signal(user, chosen)
        signal = faults.seen(honest, self.users.state(user, chosen), user, self.users.users)
        logged = msgspec.structs.replace(decision, probabilities=faults.logged(decision.probabilities))
        messages = self._deliver(now, logged, signal, faults.feedback_delay)
        if chosen < self._autoplaying and self._happens(AUTOPLAYED):
            at = now + self._between(*STARTS, self._wait)
            messages += self._answer(decision.impression_id, AUTOPLAY, at, hold=True)
        return messages

    def context(self, user: int) -> Features:
        """Return what the apps know about a user."""
        if self._platforms == 1:
            return known_context(user)
        return {**known_context(user), "platform": f"platform-{user * self._platforms // self.users.users}"}

    def _deliver(self, shown: int, decision: Decision, signal: str, extra_delay: int) -> list[Showing | Answer]:
        answered = signal != NONE_SIGNAL
        early = answered and self._happens(self._mishaps.early)
        late = answered and not early and self._happens(self._mishaps.late)
        impression_due = shown + (self._held_back(at_least=0.3) if early else self._maybe_held())
        messages: list[Showing | Answer] = [Showing(impression_due, shown, decision)]
        if self._happens(self._mishaps.repeated_impression):
            self.produced.repeated_impressions += 1
            messages.append(Showing(impression_due + self._held_back(), shown, decision))
        if answered:
            if early:
                self.produced.early += 1
                delay = self._random.randrange(impression_due - shown)
            elif late:
                self.produced.late += 1
                delay = self._wait + self._grace + self._between(0.2, 1.0, self._wait)
            else:
                delay = self._between(0.0, 0.8, self._wait)
            messages += self._answer(decision.impression_id, signal, shown + delay + extra_delay, hold=not early)
        self.last_occurred_at = max(self.last_occurred_at, shown)
        return messages

    def _answer(self, impression_id: str, signal: str, occurred_at: int, *, hold: bool) -> list[Showing | Answer]:
        self.produced.feedback += 1
        self.last_occurred_at = max(self.last_occurred_at, occurred_at)
        due = occurred_at + (self._maybe_held() if hold else 0)
        messages: list[Showing | Answer] = [Answer(due, occurred_at, impression_id, signal)]
        if self._happens(self._mishaps.repeated_feedback):
            self.produced.repeated_feedback += 1
            messages.append(Answer(due + self._held_back(), occurred_at, impression_id, signal))
        return messages

    def _maybe_held(self) -> int:
        if not self._happens(self._mishaps.held):
            return 0
        self.produced.held += 1
        return self._held_back()

    def _held_back(self, at_least: float = 0.0) -> int:
        return 1 + self._between(at_least, 0.6, self._grace)

    def _happens(self, probability: float) -> bool:
        return self._random.random() < probability

    def _between(self, low: float, high: float, milliseconds: int) -> int:
        return round(self._random.uniform(low, high) * milliseconds)
