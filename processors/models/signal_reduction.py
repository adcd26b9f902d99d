"""Several signals of one impression become the one that is learned from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from hashlib import sha256
from typing import Literal

SeveralSignals = Literal["first", "last", "set", "count"]
"""How several signals of one impression become the one that is learned from; `reduced_signal` says what each means."""
MAX_SIGNAL_LENGTH = 128


def reduced_signal(signals: Sequence[str], definite: Container[str], which: SeveralSignals) -> str:
    """Return the one signal that stands for several, given in the order of occurrence.

    A definite one (definitely negative, say) stands for all. Else it is the `first` or the `last`, or a signal of its
    own for their combination: as a `set` ("click+share", in alphabetical order), or with how often each came as a
    `count` ("2*click+share") in steps that double (1, 2-3, 4-7, ...), since every combination is learned by itself.
    """
    for signal in signals:
        if signal in definite:
            return signal
    match which:
        case "first":
            return signals[0]
        case "last":
            return signals[-1]
        case "set":
            return bounded_name("+".join(sorted(set(signals))))
        case "count":
            steps = {signal: 1 << (count.bit_length() - 1) for signal, count in sorted(Counter(signals).items())}
            return bounded_name("+".join(signal if step == 1 else f"{step}*{signal}" for signal, step in steps.items()))


def bounded_name(name: str) -> str:
    """Return a name as it is, or the beginning of one that is too long with a digest of the whole."""
    if len(name) <= MAX_SIGNAL_LENGTH:
        return name
    digest = sha256(name.encode()).hexdigest()[:16]
    return f"{name[: MAX_SIGNAL_LENGTH - len(digest) - 1]}~{digest}"
