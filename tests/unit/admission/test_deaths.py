"""What deaths without an error say of records: one that is deadly is found, and kills alone blame nobody."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.admission.deaths import ALONE_DEATHS, MOST_BLAMED, WIDEST, Trail

TOPIC = "an-id"
MOST_DEATHS = 9
"""For each deadly record: one untold, as nothing was announced, five until a stretch of 2,048 is one record, of which
three count; one more where the log ends within a stretch."""


class Workers:
    """Workers, one after the other, on a log of so many records of which some are deadly.

    What is worked on is durable every `saved` records.
    """

    def __init__(self, length: int, deadly: frozenset[int] = frozenset(), saved: int = 1) -> None:
        self.length, self.deadly, self.saved = length, deadly, saved
        self.durable = self.deaths = self.starts = 0
        self.noted = Trail().written()

    def runs(self, *, careful: bool = True) -> bool:
        """Let one worker go on until it dies or reaches the end of the log; say whether it lives."""
        self.starts += 1
        trail = Trail.read(self.noted).taken_over(TOPIC, f"worker-{self.starts}")
        self.noted = trail.written()
        at = self.durable
        while at < self.length:
            step = at, min(trail.end_of_step(at), self.length)
            if careful:
                trail = self._notes(trail.announced(step))
            if any(one in self.deadly and one not in trail.blamed for one in range(*step)):
                self.deaths += 1
                return False
            trail = self._notes(trail.lived_through())
            at = step[1]
            if at - self.durable >= self.saved:
                self.durable = at
        return True

    def _notes(self, trail: Trail) -> Trail:
        self.noted = trail.written()
        return trail

    @property
    def blamed(self) -> tuple[int, ...]:
        return Trail.read(self.noted).blamed


@given(length=st.integers(1, 6_000), deadly=st.sets(st.integers(0, 5_999), max_size=4), saved=st.integers(1, 3_000))
def test_each_deadly_record_is_blamed_within_few_deaths_and_no_other(length: int, deadly: set[int], saved: int) -> None:
    there = frozenset(one for one in deadly if one < length)
    workers = Workers(length, there, saved)
    lives = workers.runs(careful=False)
    while not lives:
        assert workers.deaths <= MOST_DEATHS * len(there)
        lives = workers.runs()
    assert sorted(workers.blamed) == sorted(there)


def test_from_an_older_checkpoint_the_same_are_set_aside_at_once() -> None:
    workers = Workers(500, frozenset({7, 300}))
    while not workers.runs():
        pass
    workers.durable, deaths = 0, workers.deaths
    assert workers.runs()
    assert (workers.deaths, workers.blamed) == (deaths, (7, 300))


Moment = tuple[str, int]


@given(st.lists(st.tuples(st.sampled_from(["kill", "kill at work", "stop", "go on"]), st.integers(1, 40))))
def test_a_record_is_blamed_only_if_the_last_three_died_while_it_alone_was_worked_on(moments: list[Moment]) -> None:
    trail = Trail().taken_over(TOPIC, "0")
    at, died = 0, list[int | None]()
    for number, (what, records) in enumerate(moments, start=1):
        before, holder = trail.blamed, str(number)
        step = at, min(trail.end_of_step(at), at + records)
        match what:
            case "kill":
                trail = Trail.read(trail.written()).taken_over(TOPIC, holder)
            case "kill at work":
                died.append(step[0] if step[1] - step[0] == 1 else None)
                trail = Trail.read(trail.announced(step).written()).taken_over(TOPIC, holder)
            case "stop":
                died.clear()
                trail = Trail.read(trail.let_go().written()).taken_over(TOPIC, holder)
            case _:
                if trail.suspect is None or step[1] >= trail.suspect[1]:
                    died.clear()
                trail, at = trail.announced(step).lived_through(), step[1]
        for one in trail.blamed[len(before) :]:
            assert died[-ALONE_DEATHS:] == [one] * ALONE_DEATHS
            died.clear()
            at = one + 1


@pytest.mark.parametrize("seed", range(3))
def test_kills_at_random_moments_blame_nobody(seed: int) -> None:
    """A kill every 200 steps on average, twenty thousand times, where the worker works without a pause."""
    rng, trail, at, kills = random.Random(seed), Trail().taken_over(TOPIC, "0"), 0, 0
    while kills < 20_000:
        step = at, trail.end_of_step(at)
        trail = trail.announced(step)
        if rng.random() < 1 / 200:
            kills += 1
            trail = trail.taken_over(TOPIC, str(kills))
        else:
            trail, at = trail.lived_through(), step[1]
    assert trail.blamed == ()


def test_a_stop_in_its_own_time_clears_suspicion_and_keeps_what_was_blamed() -> None:
    trail = Trail(TOPIC, "one", (5, 6), (5, 6), 2, (3,))
    assert trail.let_go().taken_over(TOPIC, "two") == Trail(TOPIC, "two", blamed=(3,))
    assert trail.taken_over(TOPIC, "two").blamed == (3, 5)


def test_a_worker_that_gets_a_partition_back_has_not_died() -> None:
    trail = Trail(TOPIC, "one", (5, 6), (5, 6), 2)
    assert not trail.died("one")
    assert trail.taken_over(TOPIC, "one") == Trail(TOPIC, "one")
    assert trail.died("two")


def test_offsets_of_another_topic_of_that_name_say_nothing() -> None:
    assert Trail("before", "one", (5, 6), (5, 6), 2, (3,)).taken_over(TOPIC, "two") == Trail(TOPIC, "two")


def test_no_more_are_blamed_than_a_trail_holds_and_it_fits_beside_an_offset() -> None:
    most = tuple(10**18 + one for one in range(MOST_BLAMED))
    step = 2 * 10**18, 2 * 10**18 + 1
    trail = Trail("t" * 22, "0123abcd", step, step, ALONE_DEATHS, most)
    after = trail.taken_over("t" * 22, "another")
    assert (after.blamed, after.suspect) == (most, step)
    assert len(after.announced(step).written()) < 4_096


@pytest.mark.parametrize("text", ["", "committed by another tool", "[1]", "{}", "\ud800", "[]"])
def test_what_is_no_trail_is_an_empty_one(text: str) -> None:
    assert Trail.read(text) == Trail()


def test_steps_are_cut_where_suspicion_begins_and_ends_and_get_narrower_within() -> None:
    trail = Trail(TOPIC, "one", None, (1_000, 1_000 + WIDEST))
    assert [trail.end_of_step(at) for at in (0, 999, 1_000, 1_256, 3_000, 1_000 + WIDEST)] == [
        1_000, 1_000, 1_256, 1_512, 1_000 + WIDEST, 1_000 + 2 * WIDEST,
    ]  # fmt: skip
