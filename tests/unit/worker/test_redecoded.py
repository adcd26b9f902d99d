"""What `redecode` says of the states that have become others."""

from collections import Counter

from streams.worker.redecoding import Redecoded


def test_states_that_became_unknown_are_told_beside_those_that_flipped() -> None:
    flips: Counter[tuple[str, int | None, int | None]] = Counter(
        {("click", 1, None): 3, ("skip", 1, -1): 2, ("none", None, 0): 1}
    )
    found = Redecoded(0, before=9, learned=9, compared=9, flips=flips, rewards=(4.5, 0.9))
    assert list(found.in_words())[-3:] == [
        "  click: +1 became unknown 3 times",
        "  skip: +1 became -1 2 times",
        "  none: unknown became 0 1 times",
    ]
