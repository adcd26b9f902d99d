"""A worker that did not run for a while knows that it may have lost its partitions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from streams.kafka.membership_lease import MembershipLease
from tests.unit.stand_ins import Time

SESSION = 10.0


class Member:
    """A member of a group on stand-ins; `answers` is what the group says to its heartbeats."""

    def __init__(self) -> None:
        self.clock, self.leaving, self.answers = Time(), False, True
        self.membership = MembershipLease(SESSION, lambda: self.leaving, self.clock)
        self._beat = self.membership.following(self._heartbeat)

    async def _heartbeat(self) -> bool:
        self.clock.now += 1.0  # on the way
        return self.answers

    def beats(self) -> bool:
        return asyncio.run(self._taken())

    async def _taken(self) -> bool:
        return await self._beat()

    def kept_after(self, happens: Callable[[], object]) -> bool:
        """Return the answer to whether partitions are kept, where this happens while it is awaited."""

        async def asked() -> bool:
            answer = asyncio.create_task(self.membership.kept())
            await asyncio.sleep(0)
            assert not answer.done(), "it waits for the group"
            happens()
            if not self.leaving:
                await self._beat()
            return await asyncio.wait_for(answer, 10)

        return asyncio.run(asked())


def test_nothing_is_known_before_the_first_heartbeat() -> None:
    assert not Member().membership.is_good


@pytest.mark.parametrize(
    ("later", "good"), [(0.0, True), (SESSION - 1.5, True), (SESSION - 1.0, False), (3600.0, False)]
)
def test_a_heartbeat_holds_for_the_session_from_when_it_was_sent(later: float, good: bool) -> None:
    member = Member()
    assert member.beats()
    member.clock.now += later
    assert member.membership.is_good == good


def test_a_heartbeat_that_the_group_does_not_take_renews_nothing() -> None:
    member = Member()
    member.beats()
    member.clock.now += SESSION
    member.answers = False
    assert not member.beats()
    assert not member.membership.is_good


def test_a_member_in_good_standing_keeps_its_partitions_and_hands_them_over_in_order() -> None:
    member = Member()
    member.beats()
    member.leaving = True
    assert asyncio.run(member.membership.kept())


def test_after_an_absence_it_waits_until_the_group_has_answered() -> None:
    member = Member()
    member.beats()
    member.clock.now += SESSION
    assert member.kept_after(lambda: None), "the group had noticed nothing"


def test_after_an_absence_that_the_group_noticed_nothing_is_kept() -> None:
    member = Member()
    member.beats()
    member.clock.now += SESSION
    assert not member.kept_after(lambda: setattr(member, "leaving", True))
