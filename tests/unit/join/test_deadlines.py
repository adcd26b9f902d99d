"""Entries by time come out in order, each once, whichever way they are taken."""

from __future__ import annotations

from operator import attrgetter

from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct

from processors.join.deadlines import SPAN_MS, Deadlines
from processors.join.timed_entries import TimedEntries


class Entry(Struct, eq=False):
    """An entry that may be given another time."""

    time: int
    rank: int


TIMES = st.integers(-3 * SPAN_MS, 3 * SPAN_MS)
STEPS = st.one_of(
    st.tuples(st.just("add"), TIMES),
    st.tuples(st.just("remove"), st.integers(0, 20)),
    st.tuples(st.just("move"), TIMES),
    st.tuples(st.just("until"), TIMES),
    st.tuples(st.just("first"), st.integers(0, 20)),
    st.tuples(st.just("weighing"), st.integers(0, 20)),
)


def weight(entry: Entry) -> int:
    return entry.rank % 4


def in_order(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=attrgetter("time", "rank"))


def spans_of(entries: list[Entry]) -> Deadlines[Entry]:
    spans = Deadlines[Entry](attrgetter("rank"))
    spans.extend(TimedEntries([entry.time for entry in entries], list(entries)))
    return spans


@given(times=st.lists(TIMES, max_size=40), steps=st.lists(STEPS, max_size=60))
def test_what_is_taken_is_what_a_sorted_list_has(times: list[int], steps: list[tuple[str, int]]) -> None:
    waiting = [Entry(time, number) for number, time in enumerate(times)]
    spans, added = spans_of(waiting), len(waiting)
    for what, much in [*steps, ("until", 3 * SPAN_MS)]:
        match what:
            case "add":
                waiting.append(Entry(much, added))
                spans.add(much, waiting[-1])
                added += 1
            case "remove" if much < len(waiting):
                removed = waiting.pop(much)
                spans.remove(removed.time, removed)
            case "move" if waiting:
                spans.remove(waiting[0].time, waiting[0])
                waiting[0].time = much
                spans.add(much, waiting[0])
            case "until":
                due = in_order([entry for entry in waiting if entry.time <= much])
                assert spans.take_until(much).entries == due
                waiting = [entry for entry in waiting if entry not in due]
            case "first":
                first = in_order(waiting)[:much]
                assert spans.take_first(much).entries == first
                waiting = [entry for entry in waiting if entry not in first]
            case "weighing":
                taken = spans.take_weighing(much, weight).entries
                assert taken == in_order(waiting)[: len(taken)]
                waiting = [entry for entry in waiting if entry not in taken]
                assert sum(map(weight, taken)) >= much or not waiting
                assert sum(map(weight, taken[:-1])) < much or not much
    assert waiting == []
