"""Numbers and lengths of time as people say them."""

from __future__ import annotations

import pytest

from streams.words import counted, span


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 impressions"), (1, "1 impression"), (2, "2 impressions"), (1_234, "1,234 impressions")]
)
def test_one_is_one(number: int, said: str) -> None:
    assert counted(number, "impression") == said


def test_other_plurals_are_given() -> None:
    assert [counted(n, "copy", "copies") for n in (1, 2)] == ["1 copy", "2 copies"]
    assert [counted(n, "row is", "rows are") for n in (1, 2)] == ["1 row is", "2 rows are"]


@pytest.mark.parametrize(
    ("ms", "said"),
    [
        (0, "0 ms"),
        (1_999, "1999 ms"),
        (2_500, "2.5 s"),
        (630_000, "10.5 min"),
        (86_400_000, "24 h"),
        (20_800 * 86_400_000, "20,800 days"),
        (2.08e7 * 86_400_000, "20,800,000 days"),
    ],
)
def test_a_length_of_time_is_said_in_the_largest_unit_that_fits_and_never_with_an_exponent(
    ms: float, said: str
) -> None:
    assert span(ms) == said
