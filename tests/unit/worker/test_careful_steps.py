"""Steps after a death without an error: announced before they are worked on, one at a time, narrower where it died."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from faust.types import TP

from processors.admission.deaths import Trail
from processors.wire.log_records import LogRecord, UnreadRecords, as_it_came
from streams.observing.conditions import DEATHS_AT_ONE_PLACE, Conditions
from streams.observing.metrics import Metrics
from streams.worker.careful_steps import CAREFUL_SECONDS, WHY, CarefulSteps
from tests.unit.stand_ins import Time, record

HERE, THERE = TP("impressions", 0), TP("feedback", 1)
IDS = {"impressions": "id-1", "feedback": "id-2"}


class Group:
    """What a group has committed of partitions, and the steps of the worker that holds them now."""

    def __init__(self, **found: Any) -> None:
        self.committed: dict[TP, tuple[int, str]] = {HERE: (10, Trail(**found).written())} if found else {}
        self.happened: list[object] = []
        self.taking = True
        self.time = Time(0.0)
        self.conditions = Conditions(Metrics())
        self.begins()

    def begins(self) -> None:
        """Let another worker begin."""
        self.notes: dict[TP, str] = {}
        self.offsets: dict[TP, int] = {}
        self.careful = CarefulSteps(self.commit, self.offsets, self.notes, self.conditions, self.time)

    async def commit(self, offsets: Mapping[TP, int]) -> bool:
        await asyncio.sleep(0)
        if self.taking:
            self.offsets.update(offsets)
            self.committed |= {tp: (offset, self.notes.get(tp, "")) for tp, offset in offsets.items()}
            self.happened += [self.trail(tp).step for tp in offsets]
        return self.taking

    def trail(self, tp: TP = HERE) -> Trail:
        return Trail.read(self.committed[tp][1])

    async def takes_over(self) -> None:
        await self.careful.take_over([HERE, THERE], self.committed, IDS)
        self.happened.clear()

    async def works(self, records: list[ConsumerRecord], tp: TP = HERE) -> list[list[int]]:
        """Work on records; return the offsets of each step."""
        steps = []
        for step in self.careful.steps(tp, records):
            async with self.careful.step(tp, step) as worked:
                self.happened.append("works")
                await worked()
                self.happened.append("writes")
            steps.append([one.offset for one in step])
        return steps


def shown(*offsets: int) -> list[ConsumerRecord]:
    return [record("impressions", one, b"key", b"value") for one in offsets]


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(_awaited(scenario), 60))


async def _awaited(scenario: Callable[[], Awaitable[None]]) -> None:
    await scenario()


def test_as_long_as_nobody_dies_steps_are_as_wide_as_what_came_and_nothing_is_announced() -> None:
    async def scenario() -> None:
        for found in ({}, {"topic": "id-1"}):
            group = Group(**found)
            await group.takes_over()
            assert group.trail().holder
            assert await group.works(shown(*range(10_000))) == [[*range(10_000)]]
            assert group.happened == ["works", "writes"]

    run(scenario)


def test_after_a_death_a_step_is_announced_before_it_is_worked_on_and_taken_back_before_anything_is_written() -> None:
    async def scenario() -> None:
        group = Group(topic="id-1", holder="another")
        await group.takes_over()
        assert await group.works(shown(10, 11, 12)) == [[10, 11, 12]]
        assert group.happened == [(10, 13), "works", None, "writes"]
        group.time.now += CAREFUL_SECONDS
        group.happened.clear()
        await group.works(shown(13))
        assert group.happened == ["works", "writes"], "that was long enough"

    run(scenario)


def test_where_one_died_steps_are_narrower_until_all_of_it_was_worked_on_however_long_that_takes() -> None:
    async def scenario() -> None:
        group = Group(topic="id-1", holder="another", step=(12, 28))
        await group.takes_over()
        assert group.trail().suspect == (12, 28)
        (said,) = [one for one in group.conditions.standing() if one.name == DEATHS_AT_ONE_PLACE.name]
        assert said.subject == "impressions[0]"
        assert "between offsets 12 and 27" in said.says
        group.time.now += 10 * CAREFUL_SECONDS
        steps = await group.works(shown(*range(10, 40)))
        assert steps == [[10, 11], *([at, at + 1] for at in range(12, 28, 2)), [*range(28, 40)]]
        assert group.trail().suspect is None
        assert group.conditions.standing() == []

    run(scenario)


async def dies(group: Group, *, dies_at_work: bool) -> None:
    async with group.careful.step(HERE, shown(10)) as worked:
        if not dies_at_work:
            await worked()
        raise MemoryError


def test_what_ends_a_worker_while_it_works_stays_announced_and_what_ends_it_afterwards_does_not() -> None:
    async def scenario(*, dies_at_work: bool) -> None:
        group = Group(topic="id-1", holder="another", step=(10, 11), suspect=(10, 11), deaths=1)
        await group.takes_over()
        with pytest.raises(MemoryError):
            await dies(group, dies_at_work=dies_at_work)
        await group.careful.let_go(well=False)
        group.begins()
        await group.takes_over()
        assert group.trail().blamed == ((10,) if dies_at_work else ())

    run(lambda: scenario(dies_at_work=True))
    run(lambda: scenario(dies_at_work=False))


def test_a_record_that_is_blamed_is_not_looked_into_and_goes_to_dead_letter_as_it_came() -> None:
    async def scenario() -> None:
        group = Group(topic="id-1", holder="another", step=(11, 12), suspect=(11, 12), deaths=2)
        await group.takes_over()
        assert (group.trail().blamed, group.conditions.standing()) == ((11,), [])
        records: list[LogRecord] = [one for step in group.careful.steps(HERE, shown(10, 11, 12)) for one in step]
        assert [type(one) for one in records] == [ConsumerRecord, UnreadRecords, ConsumerRecord]
        aside = records[1]
        assert isinstance(aside, UnreadRecords)
        assert (aside.key, aside.value, aside.why) == (None, None, WHY)
        assert (as_it_came(aside).key, as_it_came(aside).value) == (b"key", b"value")
        assert [one.offset for step in group.careful.steps(THERE, shown(11)) for one in step] == [11]

    run(scenario)


def test_of_all_partitions_one_thing_is_done_at_a_time_while_steps_are_announced() -> None:
    async def scenario() -> None:
        group = Group(topic="id-1", holder="another")
        await group.takes_over()
        inside = 0

        async def counted(tp: TP) -> None:
            nonlocal inside
            async with group.careful.step(tp, shown(10)) as worked:
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                await worked()
                assert {group.trail(one).step for one in (HERE, THERE)} == {None}
                inside -= 1

        async def looks_after() -> None:
            async with group.careful.nothing_else():
                assert inside == 0
                assert {group.trail(one).step for one in (HERE, THERE)} == {None}
                await asyncio.sleep(0)

        await asyncio.gather(*(counted(tp) for tp in (HERE, THERE) * 3), *(looks_after() for _ in range(3)))

    run(scenario)


def test_letting_go_clears_suspicion_and_the_next_worker_is_not_careful() -> None:
    async def scenario() -> None:
        group = Group(topic="id-1", holder="another", step=(10, 11), suspect=(10, 11), deaths=1, blamed=(3,))
        await group.takes_over()
        assert group.trail().deaths == 2
        await group.careful.let_go(well=True)
        assert (group.trail(), group.notes, group.conditions.standing()) == (Trail("id-1", blamed=(3,)), {}, [])
        group.begins()
        await group.takes_over()
        await group.works(shown(10))
        assert group.happened == ["works", "writes"]

    run(scenario)


def test_a_group_that_takes_no_commit_holds_nothing_up() -> None:
    async def scenario() -> None:
        group = Group(topic="id-1", holder="another")
        group.taking = False
        await group.takes_over()
        assert await group.works(shown(10, 11)) == [[10, 11]]
        await group.careful.let_go(well=True)

    run(scenario)


def test_a_worker_that_gets_its_partitions_back_without_having_let_go_has_not_died() -> None:
    async def scenario() -> None:
        group = Group(topic="id-1", holder="")
        await group.takes_over()
        group.taking = False
        await group.careful.let_go(well=True)
        group.taking = True
        await group.takes_over()
        await group.works(shown(10))
        assert group.happened == ["works", "writes"]

    run(scenario)
