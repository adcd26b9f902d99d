"""A member whose instance another one has does not join again; one that the group has only forgotten does."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaConnectionError, KafkaError, UnknownMemberIdError

from streams.kafka.instance_place import FENCED_INSTANCE_ID, InstancePlace

OLD, NEW = "w0-old", "w0-new"


class Coordinator:
    """As much of aiokafka's as is watched. `answer` is what the group says to a heartbeat with an instance."""

    def __init__(self, answer: int | Exception, instance: str | None = "w0") -> None:
        self.group_id, self.generation, self.member_id = "g", 3, OLD
        self._group_instance_id = instance
        self._closing: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.answer = answer
        self.asked: list[Any] = []
        self.joins = 0
        self.refusal: KafkaError | None = None

    def reset_generation(self) -> None:
        self.generation, self.member_id = -1, ""

    async def _do_rejoin_group(self, subscription: Any) -> bool:
        self.joins += 1
        if self.refusal is not None:
            raise self.refusal
        self.generation, self.member_id = 4, NEW
        return True

    async def _send_req(self, request: Any) -> Any:
        self.asked.append(request.prepare({12: (0, 4)}))
        if isinstance(self.answer, Exception):
            raise self.answer
        return SimpleNamespace(error_code=self.answer)


def watched(coordinator: Coordinator) -> InstancePlace:
    return InstancePlace.watch(cast(GroupCoordinator, coordinator))


async def until_taken(coordinator: Coordinator, place: InstancePlace) -> None:
    """Rejoin, and see that it comes to nothing until the consumer closes."""
    rejoining = asyncio.create_task(coordinator._do_rejoin_group(None))
    while not place.taken:
        assert not rejoining.done()
        await asyncio.sleep(0)
    assert not rejoining.done()
    coordinator._closing.set_result(None)
    assert await rejoining is False


def test_a_member_whose_instance_another_one_has_stays_out() -> None:
    async def case() -> None:
        coordinator = Coordinator(FENCED_INSTANCE_ID)
        place = watched(coordinator)
        coordinator.reset_generation()
        coordinator.reset_generation()  # as a heartbeat and a commit may find out one after the other
        await until_taken(coordinator, place)
        assert coordinator.joins == 0
        (asked,) = coordinator.asked
        assert (asked.API_VERSION, asked.group, asked.generation_id, asked.member_id, asked.group_instance_id) == (
            3, "g", 3, OLD, "w0",
        )  # fmt: skip

    asyncio.run(case())


def test_a_member_that_finds_out_while_it_joins_stays_out() -> None:
    async def case() -> None:
        coordinator = Coordinator(FENCED_INSTANCE_ID)
        place = watched(coordinator)
        coordinator.refusal = KafkaError("UnknownError()")
        await until_taken(coordinator, place)
        assert coordinator.joins == 1

    asyncio.run(case())


@pytest.mark.parametrize(
    "answer", [UnknownMemberIdError.errno, 0, KafkaConnectionError("gone"), NotImplementedError("an old broker")]
)
def test_a_member_that_is_only_forgotten_joins_again(answer: int | Exception) -> None:
    async def case() -> None:
        coordinator = Coordinator(answer)
        place = watched(coordinator)
        coordinator.reset_generation()
        assert await coordinator._do_rejoin_group(None)
        assert (coordinator.member_id, place.taken) == (NEW, False)

    asyncio.run(case())


def test_what_else_is_refused_is_raised() -> None:
    async def case() -> None:
        coordinator = Coordinator(0)
        watched(coordinator)
        coordinator.refusal = KafkaError("not allowed")
        with pytest.raises(KafkaError, match="not allowed"):
            await coordinator._do_rejoin_group(None)

    asyncio.run(case())


def test_the_first_join_and_one_without_an_instance_ask_nothing() -> None:
    async def case() -> None:
        for coordinator in (Coordinator(FENCED_INSTANCE_ID), Coordinator(FENCED_INSTANCE_ID, instance=None)):
            if coordinator._group_instance_id is not None:
                coordinator.member_id = ""
            watched(coordinator)
            coordinator.reset_generation()
            assert await coordinator._do_rejoin_group(None)
            assert not coordinator.asked

    asyncio.run(case())
