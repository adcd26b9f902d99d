"""What came of learning a model again: which states flipped, by signal and segment, and what that is worth."""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from groundswell.events import Interaction, Reward
from groundswell.policy import PolicySnapshot
from processors.policies.off_policy_value import Value, ValueEstimate
from processors.policies.policy_watch import MOST_COST, HeldPolicy
from processors.wire.envelopes import Envelope
from streams.worker.rewards_before import Before

VALUED = 2_000
"""Of the last interactions, so many are kept to compare policies by."""
MOST_SIGNALS = 1_000
OTHER_SIGNAL = "other"
Flip = tuple[str | None, str, int | None, int | None]
"""Segment, signal, state before and now; a state is None where it is unknown."""


@dataclass
class Compared:
    """Interactions that were rewarded before, too: how many, and the sums of their rewards before and now."""

    count: int = 0
    before: float = 0.0
    now: float = 0.0

    def add(self, before: float, now: float) -> None:
        """Take in one of them."""
        self.count += 1
        self.before += before
        self.now += now

    def in_words(self) -> str:
        """Say the means."""
        then, now = self.before / self.count, self.now / self.count
        return f"mean reward of what was shown {then:+.3f} before, {now:+.3f} now; states of {self.count} compared"


@dataclass
class Redecoded:
    """What came of the model's interactions on one partition.

    `before` is how many the checkpoint includes, `learned` how many of them are still on the topic. `flips` counts, by
    segment, signal, state before and state now, the interactions whose state is another one than on the topic of
    rewards; segments are None where none are configured. `compared` has all that are on both, `segments` the same by
    segment. `values` are what the policy that is published and the one that was learned again would earn without
    exploring, by the rewards of now of the last interactions. `lineage` names the result.
    """

    partition: int
    before: int
    learned: int = 0
    compared: Compared = field(default_factory=Compared)
    segments: defaultdict[str, Compared] = field(default_factory=lambda: defaultdict(Compared))
    flips: Counter[Flip] = field(default_factory=Counter)
    values: tuple[Value, Value] | None = None
    lineage: str | None = None
    _signals: set[str] = field(default_factory=set, repr=False, compare=False)

    def add(self, segment: str | None, before: Before, now: Reward) -> None:
        """Compare what an interaction is taken for with what it was taken for."""
        self.compared.add(before.reward, now.reward)
        if segment is not None:
            self.segments[segment].add(before.reward, now.reward)
        if before.state != now.state:
            self.flips[segment, self._known(now.signal), before.state, now.state] += 1

    def _known(self, signal: str) -> str:
        if signal in self._signals or len(self._signals) < MOST_SIGNALS:
            self._signals.add(signal)
            return signal
        return OTHER_SIGNAL

    def in_words(self) -> Iterator[str]:
        """Say it, a line each."""
        missing = self.before - self.learned
        lost = f"; {missing} are no longer on the topic, and what they taught is lost" if missing > 0 else ""
        yield f"partition {self.partition}: {self.learned} of {self.before} interactions learned again{lost}"
        if self.compared.count:
            yield f"  {self.compared.in_words()}"
            yield from _flips_in_words(self.flips)
        for segment, compared in sorted(self.segments.items(), key=lambda one: (-one[1].count, one[0])):
            yield f"  segment {segment}: {compared.in_words()}"
            own = {key: count for key, count in self.flips.items() if key[0] == segment}
            yield from (f"  {line}" for line in _flips_in_words(Counter(own)))
        if self.values is not None:
            then, now = self.values
            yield (
                f"  what the policy ranks first is worth {then.snips:+.3f} ({then.low:+.3f} to {then.high:+.3f}) as "
                f"published, {now.snips:+.3f} ({now.low:+.3f} to {now.high:+.3f}) learned again: by the rewards of "
                "now, both having learned from them"
            )
        if self.lineage is not None:
            yield f"  lineage {self.lineage}"


def _flips_in_words(flips: Counter[Flip]) -> Iterator[str]:
    together: Counter[tuple[str, int | None, int | None]] = Counter()
    for (_, signal, old, new), count in flips.items():
        together[signal, old, new] += count
    for (signal, old, new), count in together.most_common():
        was, became = ("unknown" if state is None else f"{state:+d}" for state in (old, new))
        yield f"  {signal}: {was} became {became} {count} times"


class LastPlays:
    """The last interactions that were learned again, to value policies by."""

    def __init__(self) -> None:
        self._plays: deque[tuple[Envelope | Interaction, float]] = deque(maxlen=VALUED)

    def add(self, interactions: Sequence[Envelope | Interaction], rewards: Sequence[Reward | None]) -> None:
        """Take in interactions and their rewards; they are opened only to be valued."""
        for one, reward in zip(interactions, rewards, strict=True):
            if reward is not None:
                self._plays.append((one, reward.reward))

    def values(self, policies: Sequence[PolicySnapshot]) -> list[Value] | None:
        """Return what each policy would earn without exploring; None where one would have shown nothing of all that.

        Impressions that take long to score are left out.
        """
        held, found = [HeldPolicy(snapshot) for snapshot in policies], []
        plays = [(one.opened() if isinstance(one, Envelope) else one, reward) for one, reward in self._plays]
        for one in held:
            estimate = ValueEstimate(VALUED)
            for interaction, reward in plays:
                impression = interaction.impression
                if one.cost(impression) <= MOST_COST:
                    first = one.greedy(impression.context, impression.actions)[impression.chosen]
                    estimate.add(first / impression.chosen_propensity, reward, impression.weight)
            value = estimate.value()
            if value is None:
                return None
            found.append(value)
        return found
