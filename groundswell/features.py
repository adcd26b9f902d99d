"""Features as hashes that any language can compute.

A feature is a string with a value: `name=value` with value 1 for text and booleans (`true`, `false`), `name`
with the number itself for numbers. An action's id is the feature `=id`. Every context has the constant
feature, the empty string. Then

    h(s)         = fmix32(crc32(utf8(s)))
    cross(g, h)  = fmix32((g * 0x9E3779B1 + h) mod 2^32)
    index        = cross mod 2^bits

with fmix32 the finaliser of MurmurHash3 (Appleby) and crc32 that of zlib.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from itertools import combinations
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from groundswell.events import Action, FeatureValue

CONSTANT: Final = ""
LARGEST_VALUE: Final = 1e9
LEAST_VALUE: Final = 1e-9
"""Numbers are clamped to this size, so that no single feature can overflow a score."""
_MASK: Final = 0xFFFFFFFF

# As arrays: numpy makes one of a number whenever it is used, which takes as long as the operation on some hundred.
_GOLDEN, _FIRST, _SECOND, _SIXTEEN, _THIRTEEN = (
    np.array(number, dtype=np.uint32) for number in (0x9E3779B1, 0x85EBCA6B, 0xC2B2AE35, 16, 13)
)
_REMEMBERED: Final = 4_096
_LONGEST_REMEMBERED: Final = 64
"""Characters; with as many texts as are remembered, 1 MB at the most."""

Feature = tuple[int, float]
"""Hash and value."""
Hashes = NDArray[np.uint32]
"""Of 32 bits, so that products are taken modulo 2^32 by themselves."""


def fmix32(h: int) -> int:
    """Return the 32-bit finaliser of MurmurHash3 of a number."""
    h = ((h ^ (h >> 16)) * 0x85EBCA6B) & _MASK
    h = ((h ^ (h >> 13)) * 0xC2B2AE35) & _MASK
    return h ^ (h >> 16)


def fmix32_all(hashes: Hashes) -> Hashes:
    """Return `fmix32` of each number, in their place."""
    shifted = hashes >> _SIXTEEN  # its memory is used again below, which takes a fifth of the time away
    hashes ^= shifted
    hashes *= _FIRST
    hashes ^= np.right_shift(hashes, _THIRTEEN, shifted)
    hashes *= _SECOND
    hashes ^= np.right_shift(hashes, _SIXTEEN, shifted)
    return hashes


def hashed(text: str) -> int:
    """Return h(text), an unsigned 32-bit number."""
    return fmix32(crc32(text.encode()))


def hashed_all(texts: Iterable[str]) -> Hashes:
    """Return `hashed` of each text; of many it takes half the time."""
    return fmix32_all(np.array([crc32(text.encode()) for text in texts], dtype=np.uint32))


def crossed(left: int, right: int) -> int:
    """Return the hash of two features together; the order matters."""
    return fmix32((left * 0x9E3779B1 + right) & _MASK)


def crossed_each(left: Hashes, right: Hashes) -> Hashes:
    """Return `crossed` of each of the left and the one of the right that has its place."""
    crosses = left * _GOLDEN
    crosses += right
    return fmix32_all(crosses)


CONSTANT_HASH: Final = hashed(CONSTANT)
_CONSTANT_FEATURE: Final = CONSTANT_HASH, 1.0
_remembered = lru_cache(_REMEMBERED)(hashed)


@lru_cache(_REMEMBERED)
def _of_text(name: str, value: str) -> Feature:
    return hashed(f"{name}={value}"), 1.0


def feature(name: str, value: FeatureValue) -> Feature:
    """Return hash and value of one named feature."""
    if isinstance(value, str) and len(name) + len(value) <= _LONGEST_REMEMBERED:
        return _of_text(name, value)
    text, amount = text_and_value(name, value)
    return (_remembered(text) if len(text) <= _LONGEST_REMEMBERED else hashed(text)), amount


def text_and_value(name: str, value: FeatureValue) -> tuple[str, float]:
    """Return the text by whose hash a named feature goes, and its value."""
    if isinstance(value, str):
        return f"{name}={value}", 1.0
    if isinstance(value, bool):
        return f"{name}={'true' if value else 'false'}", 1.0
    if -LEAST_VALUE < value < LEAST_VALUE:
        return name, 0.0
    if -LARGEST_VALUE <= value <= LARGEST_VALUE:
        return name, float(value)
    return name, -LARGEST_VALUE if value < 0 else LARGEST_VALUE


def context_features(context: Mapping[str, FeatureValue], crosses: bool) -> list[Feature]:
    """Return the constant, the single features without zeros, and their pairs if `crosses`."""
    singles = _without_zeros(context)
    pairs = [(crossed(g, h), x * y) for (g, x), (h, y) in combinations(singles, 2)] if crosses else []
    return [_CONSTANT_FEATURE, *singles, *pairs]


def action_features(action: Action) -> list[Feature]:
    """Return the feature of the action's id, then its other features without zeros."""
    return [(hashed(f"={action.id}"), 1.0), *_without_zeros(action.features)]


def _without_zeros(features: Mapping[str, FeatureValue]) -> list[Feature]:
    found = []
    for name in sorted(features):
        value = features[name]
        if value.__class__ is str and len(name) + len(value) <= _LONGEST_REMEMBERED:  # as in `feature`: most are
            found.append(_of_text(name, value))
        elif (pair := feature(name, value))[1]:
            found.append(pair)
    return found
