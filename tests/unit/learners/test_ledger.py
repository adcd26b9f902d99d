"""Deduplication in bounded memory, against a plain set that forgets nothing."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from groundswell.events import Source
from processors.learners.ledger import Ledger


@st.composite
def deliveries(draw: st.DrawFn) -> list[Source]:
    """Draw an interactions log: offsets of two partitions with gaps, closed out of order, some of it repeated.

    Floors are what a join writes: nothing below one is still to come for the first time.
    """
    log: list[Source] = []
    for partition in (0, 1):
        offsets = draw(st.permutations(sorted(draw(st.sets(st.integers(0, 30), max_size=12)))))
        for place, offset in enumerate(offsets):
            lowest_to_come = min(offsets[place:])
            log.append(Source(partition, offset, draw(st.integers(0, lowest_to_come))))
    repeats = draw(st.lists(st.integers(0, max(0, len(log) - 1)), max_size=10)) if log else []
    for start in repeats:
        # A worker that was killed writes a stretch again.
        log += log[start : start + draw(st.integers(1, 5))]
    return log


@given(deliveries())
def test_each_interaction_is_admitted_once_as_a_set_would(log: list[Source]) -> None:
    ledger, seen = Ledger(), set[tuple[int, int]]()
    for source in log:
        identity = (source.partition, source.offset)
        assert ledger.admit(source) == (identity not in seen)
        seen.add(identity)


@given(deliveries(), st.integers(0, 40))
def test_a_ledger_that_went_through_a_checkpoint_goes_on_as_if_it_had_not(log: list[Source], cut: int) -> None:
    ledger = Ledger()
    before = [ledger.admit(source) for source in log[:cut]]
    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(ledger.state()))
    restored = Ledger.restore(stored)
    assert len(restored) == len(ledger)
    assert [restored.admit(source) for source in log[cut:]] == [ledger.admit(source) for source in log[cut:]]
    assert restored.state() == ledger.state()
    assert len(before) == min(cut, len(log))


@given(deliveries())
def test_nothing_that_a_join_writes_is_unfounded(log: list[Source]) -> None:
    ledger, ends = Ledger(), {0: 31, 1: 31}
    for source in log:
        assert ledger.unfounded([source], ends, "") == {}
        ledger.admit(source)


def test_what_no_join_can_have_written_is_unfounded() -> None:
    ledger, ends = Ledger(), {0: 10, 1: 4}
    ledger.admit(Source(0, 3, 2, "now"))
    forged = {
        "beyond the end": Source(0, 10, 0, "now"),
        "far beyond it": Source(1, 2**62, 0),
        "of a partition that there is not": Source(2, 0, 0, "now"),
        "a floor beyond itself": Source(0, 5, 6, "now"),
        "of no topic's id, where that is the first one's": Source(0, 11, 0),
        "a floor beyond itself, of another topic": Source(0, 5, 2**62, "before"),
    }
    assert list(ledger.unfounded(list(forged.values()), ends, "now")) == list(range(len(forged)))
    fine = [Source(0, 9, 9, "now"), Source(1, 3, 0), Source(0, 2**40, 9, "before")]
    assert ledger.unfounded(fine, ends, "now") == {}
    assert list(ledger.unfounded(fine, ends, "")) == [2], "where topics have no ids there is one"


def test_memory_is_bounded_by_what_is_pending_though_offsets_have_gaps_that_never_fill() -> None:
    ledger, pending = Ledger(), 50
    for offset in range(0, 100_000, 3):  # the offsets between were dead letters and duplicates
        assert ledger.admit(Source(0, offset, max(0, offset - pending)))
        assert len(ledger) <= pending


def test_state_depends_on_what_was_admitted_and_not_on_the_order() -> None:
    sources = [Source(partition, offset, 0) for partition in (2, 0, 1) for offset in (9, 3, 7)]
    states = []
    for order in (sources, sources[::-1]):
        ledger = Ledger()
        for source in order:
            ledger.admit(source)
        states.append(msgspec.msgpack.encode(ledger.state()))
    assert states[0] == states[1]


# -- topics that were made again ------------------------------------------------------------------------------


@given(deliveries(), deliveries(), st.booleans())
def test_places_in_a_topic_that_was_made_again_are_others_and_the_old_ones_are_still_known(
    old: list[Source], new: list[Source], restored: bool
) -> None:
    ledger = Ledger()
    first, again = ([replace(one, topic=name) for one in log] for log, name in ((old, "a"), (new, "b")))
    seen = set[tuple[str, int, int]]()
    for source in [*first, *again, *first, *again]:
        if restored:
            ledger = Ledger.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(ledger.state())))
        identity = (source.topic, source.partition, source.offset)
        assert ledger.admit(source) == (identity not in seen)
        seen.add(identity)


@given(deliveries(), st.integers(0, 40))
def test_what_was_entered_before_ids_were_known_is_of_the_first_topic(log: list[Source], cut: int) -> None:
    named = [replace(one, topic="a") for one in log]
    ledger, whole = Ledger(), Ledger()
    assert ledger.admit_all(log[:cut]) == whole.admit_all(named[:cut])
    assert ledger.admit_all(named[cut:]) == whole.admit_all(named[cut:])
    assert not any(ledger.admit_all(log)), "copies of an earlier release"
    assert not any(ledger.admit_all(named))


def test_the_state_of_a_log_without_ids_is_that_of_earlier_releases() -> None:
    ledger = Ledger()
    ledger.admit_all([Source(0, 3, 1), Source(1, 4, 2)])
    assert ledger.state() == {"floors": [(0, 1), (1, 2)], "above": [(0, [3]), (1, [4])]}


@given(st.builds(Source, *[st.integers(0, 2**63 - 1) | st.sampled_from([2**53, 2**53 + 1, 2**63 - 1])] * 3))
def test_whatever_numbers_an_interaction_may_carry_a_checkpoint_can_be_gone_on_from(source: Source) -> None:
    ledger = Ledger()
    ledger.admit(source)
    restored = Ledger.restore(msgspec.msgpack.decode(msgspec.msgpack.encode(ledger.state())))
    assert restored.state() == ledger.state()
