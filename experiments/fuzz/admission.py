"""Records on `impressions` and `feedback`: let in or refused, joined, written, learned.

An input is lines, each a letter and the value of a record: `i` and `f` of impressions and feedback under the key that
they name, `I` and `F` under another one, `w` and `v` without a key on these topics. Good ones stand before and behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import Any, Final

import msgspec

from experiments.bench.workload import LoggedRecord
from experiments.fuzz.drawn import described, drawn
from experiments.fuzz.messages import MODELS, T0, feedback, impression
from experiments.fuzz.mutation import as_json, from_json, mutated_json, mutated_lines
from experiments.fuzz.target import Target, require
from experiments.fuzz.worker import Joining, check_decides, check_metrics, settings
from groundswell.events import CONTRADICTIONS, Feedback, Impression, Watermark
from processors.admission import surely_fine
from processors.admission.event_records import Admission, Reason, Refusal
from processors.models.config import ModelConfig
from streams.observing.metrics import samples

STAMPED: Final = T0 + 100
"""When records are stamped (ms)."""
TYPES: Final = {"i": Impression, "I": Impression, "f": Feedback, "F": Feedback, "w": Watermark, "v": Watermark}
REASONS: Final = frozenset(Reason) | CONTRADICTIONS
END: Final = msgspec.json.encode({"schema_version": 1, "watermark": STAMPED + 60_000})
MOST_LINES: Final = 40
HONEST: Final = ("honest-1", "honest-2")


class DecodingAdmission(Admission):
    """Decodes each record: the other way to the same."""

    def __init__(self, models: Mapping[str, ModelConfig], max_ahead_ms: int) -> None:
        super().__init__(models, max_ahead_ms)
        self._fine_impressions.find = self._fine_feedback.find = surely_fine.nothing  # type: ignore[method-assign]


def record_of(letter: str, value: bytes) -> tuple[bool, bytes | None, bytes | None]:
    """Return whether a line is one of impressions, and key and value of its record."""
    key: bytes | None = b"another" if letter in "IF" else None
    if letter in "if":
        try:
            named = from_json(value)["impression_id"]
            key = named.encode("utf-8", "surrogatepass")
        except (ValueError, KeyError, TypeError, AttributeError):
            key = b"unknown"
    return letter in "iIw", key, value or None


def _records(data: bytes) -> tuple[list[LoggedRecord], list[LoggedRecord]]:
    """Return the records of impressions and of feedback."""
    both: tuple[list[LoggedRecord], list[LoggedRecord]] = ([], [])
    for line in data.split(b"\n")[:MOST_LINES]:
        letter = chr(line[0]) if line[:1] and chr(line[0]) in TYPES else "i"
        of_impressions, key, value = record_of(letter, line[1:])
        log = both[0 if of_impressions else 1]
        log.append(LoggedRecord(len(log) + 1, key, value, STAMPED))
    return both


def _good(name: str, offset: int) -> LoggedRecord:
    value = msgspec.json.encode(impression(1, "honest", impression_id=name, occurred_at=STAMPED))
    return LoggedRecord(offset, name.encode(), value, STAMPED)


def _answer(name: str, offset: int) -> LoggedRecord:
    value = msgspec.json.encode(feedback(1, impression_id=name, feedback_id=name, occurred_at=STAMPED + 1))
    return LoggedRecord(offset, name.encode(), value, STAMPED)


def check(data: bytes) -> None:
    """Each record is let in or refused with a reason, decoded alone as looked at beside others; good ones are in."""
    shown, answered = _records(data)
    shown = [_good(HONEST[0], 0), *shown, _good(HONEST[1], len(shown) + 1)]
    answered = [*answered, *(_answer(name, len(answered) + place) for place, name in enumerate(HONEST))]
    admission = Admission(settings().models, settings().max_ahead_ms)
    found = admission.impressions(shown), admission.feedback(answered)
    for records, outcomes, alone in (
        (shown, found[0], DecodingAdmission.impressions),
        (answered, found[1], DecodingAdmission.feedback),
    ):
        require(len(records) == len(outcomes), f"{len(records)} records, {len(outcomes)} outcomes")
        apart = DecodingAdmission(settings().models, settings().max_ahead_ms)
        for record, outcome in zip(records, outcomes, strict=True):
            (by_itself,) = alone(apart, [record])
            require(outcome == by_itself, f"together {outcome!r}, decoded alone {by_itself!r}")
            if isinstance(outcome, Refusal):
                require(outcome.reason in REASONS and bool(outcome.detail), f"refused without a reason: {outcome}")
                require(outcome.reason != Reason.POISON, f"it raised: {outcome.detail}")
    ids = [getattr(one, "id", None) for one in found[0]]
    require(ids[0] == HONEST[0] and ids[-1] == HONEST[1], f"a good one is refused: {found[0][0]}, {found[0][-1]}")
    marked = any(isinstance(one, Watermark) for one in (*found[0], *found[1]))
    _check_way(shown, answered, 0 if marked or b"honest" in data else len(HONEST))


def _check_way(shown: Sequence[LoggedRecord], answered: Sequence[LoggedRecord], good: int) -> None:
    """Let the records go the whole way; nothing raises, what was joined is learned, and so many good ones are.

    A watermark says that nothing older follows: whoever writes one makes others late.
    """
    joining = Joining()
    joining.takes(shown, answered)
    ends = [LoggedRecord(len(log), None, END, STAMPED + 60_000) for log in (shown, answered)]
    joining.takes(ends[:1], ends[1:])
    learned = joining.learns()
    check_metrics(joining.metrics)
    check_metrics(joining.learning.metrics)
    outcomes = {labels["outcome"]: int(value) for labels, value in samples(joining.metrics.join)}
    joined = outcomes.get("matched", 0) + outcomes.get("none", 0)
    require(joined == learned, f"{joined} joined, {learned} to learn from")
    included = joining.learning.included
    require(sum(included.values()) == learned, f"{learned} to learn from, {included} learned")
    require(included.get("honest", 0) >= good, f"good ones are not learned: {included}, {outcomes}")
    for learner in joining.learning.learner._learners.values():
        check_decides(learner.snapshot(None))


def seeds() -> Iterable[bytes]:
    """Yield good logs, one of each kind of model."""
    for number, model in enumerate(MODELS):
        log: list[tuple[str, Any]] = [
            ("i", impression(10 * number, model)),
            ("i", impression(10 * number + 1, model, probabilities=None, propensity=0.5, deferred=True)),
            ("f", feedback(10 * number)),
            ("f", feedback(10 * number + 1, "shown")),
            ("f", feedback(10 * number + 1, "dislike")),
            ("w", {"schema_version": 1, "watermark": T0 + 100}),
            ("v", {"schema_version": 1, "watermark": T0 + 100}),
        ]
        yield b"\n".join(letter.encode() + msgspec.json.encode(value) for letter, value in log)


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return a log with a message in it changed, drawn anew, under another key, or in another place."""

    def change(line: bytes) -> bytes:
        letter = line[:1].decode("latin-1")
        kind = TYPES.get(letter)
        if kind is None or rng.random() < 0.05:
            letter = rng.choice(list(TYPES))
            return letter.encode() + as_json(drawn(described(TYPES[letter]), rng), rng)
        if rng.random() < 0.05:
            return rng.choice("iIfFwv").encode() + line[1:]
        changed = mutated_json(line[1:], described(kind), rng)
        return line if changed is None else letter.encode() + changed

    return None if rng.random() < 0.2 else mutated_lines(data, rng, change)


TARGET: Final = Target("admission", check, seeds, mutated)
