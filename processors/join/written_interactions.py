"""Interactions as they are written: spliced from the bytes that came in, so that nothing is lost on the way."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from groundswell.events import NONE_SIGNAL, SHOWN_SIGNAL, FeatureValue
from processors.join.entries import ObservedFeedback, Pending

FEW: Final = 4
"""So many signals in a row are remembered."""
_encode_json = msgspec.json.Encoder().encode


class _Context(msgspec.Struct):
    """As much of an impression as it takes to find its shard or segment."""

    context: Mapping[str, FeatureValue]


_context = msgspec.json.Decoder(_Context)


def encode_interaction(pending: Pending, partition: int, floor: int, topic: str = "") -> bytes:
    """Return the interaction that a closed impression became, as JSON (`groundswell.events.Interaction`)."""
    (value,) = encode_interactions([pending], partition, floor, topic)
    return value


def encode_interactions(closed: Iterable[Pending], partition: int, floor: int, topic: str = "") -> Iterator[bytes]:
    """Yield the interactions that closed impressions became, each as JSON (`groundswell.events.Interaction`).

    `topic` is the id of the impressions topic, empty where it is not known.
    """
    named = b',"topic":%b' % _encode_json(topic).replace(b"%", b"%%") if topic else b""
    interaction = (
        b'{"schema_version":1,"source":{"partition":%d,"offset":%%d,"floor":%d%b},"impression":%%b,"feedback":[%%b],'
        b'"signals":%%b}' % (partition, floor, named)
    )
    nothing = _distinct((), deferred=False)
    for pending in closed:
        impression, feedback = pending.impression, pending.feedback
        if not feedback:
            answers, signals = b"", nothing
        elif len(feedback) == 1:
            answers, signals = feedback[0].value, _distinct((feedback[0].signal,), impression.deferred)
        else:
            feedback = tuple(sorted(feedback, key=_when))
            answers = b",".join([one.value for one in feedback])
            names = tuple([one.signal for one in feedback])
            distinct = _distinct if len(names) <= FEW else _distinct.__wrapped__  # rare, and long
            signals = distinct(names, impression.deferred)
        # A value that lies elsewhere is fetched by `%b`.
        yield interaction % (impression.offset, impression.value, answers, signals)


@lru_cache(maxsize=1024)
def _distinct(signals: tuple[str, ...], deferred: bool) -> bytes:
    """Return the signals to learn from as JSON, given all in the order of occurrence."""
    distinct = dict.fromkeys(signals)
    if deferred:
        distinct.pop(SHOWN_SIGNAL, None)
    return _encode_json(list(distinct) or [NONE_SIGNAL])


def _when(feedback: ObservedFeedback) -> tuple[int, int]:
    return feedback.occurred_at, feedback.offset


def context_of(pending: Pending) -> Mapping[str, FeatureValue]:
    """Return the context of an impression."""
    return _context.decode(bytes(pending.impression.value)).context


def shard_key(pending: Pending, feature: str) -> bytes:
    """Return by what the interactions of a sharded model are spread: the value of a context feature.

    An impression without that feature goes by its own id, and so to any shard.
    """
    value = context_of(pending).get(feature)
    if value is None:
        return pending.impression.id.encode()
    return f"{feature}={value if isinstance(value, str) else _as_float(value)}".encode()


def _as_float(number: float) -> float:
    """Return a number as a float, since 3 and 3.0 are the same feature; whole numbers have no bound in JSON."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def floor_of(closed: Sequence[Pending], pending_floor: int | None, next_offset: int) -> int:
    """Return the offset below which everything has been written before this step.

    Interactions of one step share it, so none of them may lie below it.
    """
    lowest = min([one.impression.offset for one in closed], default=next_offset)
    return min(lowest, next_offset if pending_floor is None else pending_floor)
