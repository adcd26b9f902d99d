"""An impression as its producer meant it, where libraries wrote it a little differently.

Many write null for a member that is absent, and compute probabilities with 24 bits: they miss 0 and 1 by the last of
these.
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Raw

from groundswell.events import PROBABILITY_TOLERANCE

OPTIONAL: Final = ("probabilities", "propensity", "policy_version", "weight", "deferred")
_NULL: Final = b"null"

_members = msgspec.json.Decoder(dict[str, Raw])
_actions = msgspec.json.Decoder(list[dict[str, Raw]])
_numbers = msgspec.json.Decoder(list[float])
_number = msgspec.json.Decoder(float)
_encode = msgspec.json.Encoder().encode


def near_probability(value: float) -> float:
    """Return a probability that rounding moved out of [0, 1] as the nearer of the two; any other number as it is."""
    if -PROBABILITY_TOLERANCE <= value < 0:
        return 0.0
    return 1.0 if 1 < value <= 1 + PROBABILITY_TOLERANCE else value


def as_meant(value: bytes | None) -> bytes | None:
    """Return an impression without optional members that are null and with probabilities cut to [0, 1].

    All else in it stays as it came. None where that changes nothing, or the value is no JSON object.
    """
    try:
        members = _members.decode(value or b"")
        meant = {name: one for name, one in members.items() if name not in OPTIONAL or bytes(one) != _NULL}
        if _NULL in bytes(meant.get("actions", b"")):
            meant["actions"] = _without_null_features(meant["actions"])
        if "probabilities" in meant:
            logged = _numbers.decode(meant["probabilities"])
            meant["probabilities"] = _unless_same(meant["probabilities"], logged, [near_probability(p) for p in logged])
        if "propensity" in meant:
            propensity = _number.decode(meant["propensity"])
            meant["propensity"] = _unless_same(meant["propensity"], propensity, near_probability(propensity))
        changed = len(meant) < len(members) or any(one is not members[name] for name, one in meant.items())
        return _encode(meant) if changed else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _without_null_features(actions: Raw) -> Raw:
    decoded = _actions.decode(actions)
    meant = [
        {name: one for name, one in action.items() if name != "features" or bytes(one) != _NULL} for action in decoded
    ]
    return _unless_same(actions, decoded, meant)


def _unless_same(raw: Raw, came: object, meant: object) -> Raw:
    return raw if came == meant else Raw(_encode(meant))
