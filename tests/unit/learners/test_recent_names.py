import msgspec
from hypothesis import given
from hypothesis import strategies as st

from processors.learners.recent_names import RecentNames

KEYS = st.lists(st.integers(0, 9), max_size=60)


@given(KEYS, st.integers(2, 6))
def test_the_keys_seen_last_keep_their_rows_and_no_two_share_one(keys: list[int], size: int) -> None:
    slots = RecentNames(size)
    rows = {key: slots.take(key)[0] for key in keys}
    last = list(dict.fromkeys(reversed(keys)))[:size]
    assert len(slots) == min(size, len(set(keys)))
    assert len({rows[key] for key in last}) == len(last)
    assert all(slots.take(key) == (rows[key], False) for key in last)
    assert all(0 <= row < size for row in rows.values())


@given(KEYS, KEYS)
def test_restored_slots_go_on_as_if_nothing_had_been(before: list[int], after: list[int]) -> None:
    slots = RecentNames(4)
    for key in before:
        slots.take(key)
    restored = RecentNames.restore(4, msgspec.msgpack.decode(msgspec.msgpack.encode(slots.state())))
    assert [restored.take(key) for key in after] == [slots.take(key) for key in after]
    assert restored.given_anew == slots.given_anew
