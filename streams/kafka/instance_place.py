"""Whether another member has the place of this one's instance (`kafka.instance`, KIP-345) in its group.

Whoever joins with an instance takes over its place. aiokafka names no instance in heartbeats and commits, so that it
hears only that it is not known, as after a session that timed out, and joins again: two workers with one instance would
take the place from each other for ever.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.errors import KafkaError
from aiokafka.protocol.api import Request, RequestStruct
from aiokafka.protocol.group import HeartbeatResponse_v1
from aiokafka.protocol.types import Int32, Schema, String

FENCED_INSTANCE_ID: Final = 82
"""The group's answer where the instance is that of another member; aiokafka has no name for it."""


class InstanceTakenError(Exception):
    """Another worker has joined with this one's instance."""


class _HeartbeatV3(RequestStruct):  # type: ignore[misc]  # aiokafka has no types
    API_KEY = 12
    API_VERSION = 3
    RESPONSE_TYPE = HeartbeatResponse_v1  # which has the same fields
    SCHEMA = Schema(
        ("group", String("utf-8")),
        ("generation_id", Int32),
        ("member_id", String("utf-8")),
        ("group_instance_id", String("utf-8")),
    )


class InstanceHeartbeat(Request[_HeartbeatV3]):  # type: ignore[misc]  # as above
    """A heartbeat that names the instance. Brokers before 2.3 have neither."""

    API_KEY = 12

    def __init__(self, group: str, generation: int, member: str, instance: str) -> None:
        self._fields = (group, generation, member, instance)

    def build(self, request_struct_class: type[_HeartbeatV3]) -> _HeartbeatV3:
        """Return what goes over the wire."""
        return request_struct_class(*self._fields)


class InstancePlace:
    """Keeps a coordinator from joining again where another member has its place.

    Runs in the thread that reads; `taken` may be looked at from any.
    """

    def __init__(self, coordinator: GroupCoordinator) -> None:
        self.taken = False
        self._coordinator = coordinator
        self._forget = coordinator.reset_generation
        self._was: tuple[int, str] | None = None
        """Generation and id of the member that the group did not know any more."""

    @classmethod
    def watch(cls, coordinator: GroupCoordinator) -> InstancePlace:
        """Return what watches a coordinator from now on."""
        place = cls(coordinator)
        if coordinator._group_instance_id is not None:
            coordinator.reset_generation = place._remember
            coordinator._do_rejoin_group = place._asking_before(coordinator._do_rejoin_group)
        return place

    def _remember(self) -> None:
        if self._coordinator.member_id:
            self._was = self._coordinator.generation, self._coordinator.member_id
        self._forget()

    def _asking_before(self, rejoin: Callable[[Any], Awaitable[bool]]) -> Callable[[Any], Awaitable[bool]]:
        async def asking(subscription: Any) -> bool:
            was, self._was = self._was, None
            if was is not None and await self._is_taken(*was):
                return await self._stay_out()
            try:
                return await rejoin(subscription)
            except KafkaError:
                coordinator = self._coordinator
                if await self._is_taken(coordinator.generation, coordinator.member_id):
                    return await self._stay_out()
                raise

        return asking

    async def _is_taken(self, generation: int, member: str) -> bool:
        """Return whether the group says so; False where it gives no answer, or does not know the instance either."""
        coordinator = self._coordinator
        if not member:
            return False
        heartbeat = InstanceHeartbeat(coordinator.group_id, generation, member, coordinator._group_instance_id)
        try:
            answer = await coordinator._send_req(heartbeat)
        except (KafkaError, NotImplementedError):  # the latter where the broker has no such heartbeat
            return False
        return bool(answer.error_code == FENCED_INSTANCE_ID)

    async def _stay_out(self) -> bool:
        """Wait for the end, which the worker comes to when it looks."""
        self.taken = True
        await self._coordinator._closing
        return False
