"""Entries by time come out in order, each once, whichever way they are taken."""

from __future__ import annotations

from operator import itemgetter

from hypothesis import given
from hypothesis import strategies as st

from processors.spans import SPAN_MS, Spans

Entry = tuple[int, int]
TIMES = st.integers(-3 * SPAN_MS, 3 * SPAN_MS)


@given(
    times=st.lists(TIMES, max_size=60),
    takes=st.lists(st.one_of(st.tuples(st.just("until"), TIMES), st.tuples(st.just("first"), st.integers(0, 20)))),
)
def test_what_is_taken_is_what_a_sorted_list_has(times: list[int], takes: list[tuple[str, int]]) -> None:
    spans = Spans[Entry](itemgetter(0), itemgetter(1))
    waiting = sorted((time, number) for number, time in enumerate(times))
    for number, time in enumerate(times):
        spans.add(time, (time, number))
    for how, much in [*takes, ("until", 3 * SPAN_MS)]:
        end = much if how == "first" else sum(time <= much for time, _ in waiting)
        taken = spans.take_first(much) if how == "first" else spans.take_until(much)
        assert taken == waiting[:end]
        del waiting[:end]


def test_what_was_removed_does_not_come_out() -> None:
    spans = Spans[Entry](itemgetter(0), itemgetter(1))
    for entry in ((5, 0), (5, 1), (SPAN_MS, 2)):
        spans.add(entry[0], entry)
    spans.remove(5, (5, 0))
    spans.remove(SPAN_MS, (SPAN_MS, 2))
    assert spans.take_until(2 * SPAN_MS) == [(5, 1)]
