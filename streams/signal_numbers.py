"""Numbers of signals as they are typed: `signal=number`."""

from __future__ import annotations

from collections.abc import Iterable


def numbers_by_signal(given: Iterable[str], largest: float) -> dict[str, float]:
    """Return the number of each signal. Raises ValueError with what is none, or further from 0 than `largest`."""
    numbers = {}
    for one in given:
        signal, _, number = one.rpartition("=")
        try:
            numbers[signal] = float(number)
        except ValueError:
            raise ValueError(one) from None
        if not signal or not abs(numbers[signal]) <= largest:  # nor is NaN
            raise ValueError(one)
    return numbers
