"""Faust's assignor for members with an instance (`kafka.instance`), which groups hand out old assignments to.

A static member (KIP-345) that comes back within its session takes over the assignment that it had, and nobody makes a
new one: not for the address at which it is now, and not for topics that were made again, or grew, while it was away.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, cast

from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from faust.assignor.client_assignment import ClientMetadata
from faust.assignor.partition_assignor import PartitionAssignor
from yarl import URL


class Member(Protocol):
    """The app of a member, as far as the assignor asks it for anything."""

    batched_topics: Mapping[str, int]

    def rejoin(self) -> None:
        """Join the group again."""


class StaticMemberAssignor(PartitionAssignor):
    """Takes an assignment whatever the address it was made for, and asks for another where partitions lack.

    Faust asserts that the address is the same, though it only serves to find each other's tables, which nobody does
    here.
    """

    _address: URL | None = None
    _asked_again = 0
    _found_lacking: Mapping[str, Mapping[str, list[int]]] | None = None

    @property
    def _url(self) -> URL:
        return self._address or super()._url

    def metadata(self, topics: set[str]) -> ConsumerProtocolMemberMetadata:
        """Return what is sent to the group; it differs when it is asked again, or the group would change nothing."""
        sent = super().metadata(topics)
        # White space, which a leader that decodes the JSON of it does not see.
        sent.user_data += b" " * self._asked_again
        return sent

    def on_assignment(self, assignment: Any) -> None:
        """Take an assignment over; ask for another where nobody in the group has all of what is to be read."""
        made = ClientMetadata.loads(self._decompress(assignment.user_data))
        self._address = URL(made.url)
        super().on_assignment(assignment)
        member, found = cast(Member, self.app), made.external_topic_distribution
        # Not twice for the same: a leader that does not know of a topic yet makes another assignment when it does.
        if not handed_out(found, member.batched_topics) and found != self._found_lacking:
            self._found_lacking = found
            self._asked_again += 1
            member.rejoin()


def handed_out(distribution: Mapping[str, Mapping[str, list[int]]], expected: Mapping[str, int]) -> bool:
    """Return whether members, by their addresses, have all partitions of the topics, which have so many."""
    found = {(topic, one) for topics in distribution.values() for topic, some in topics.items() for one in some}
    return all((topic, one) in found for topic, count in expected.items() for one in range(count))
