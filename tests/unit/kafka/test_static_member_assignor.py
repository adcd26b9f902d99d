"""An assignment that lacks what is to be read is not taken as it is."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata

from streams.kafka.static_member_assignor import StaticMemberAssignor, handed_out

EXPECTED = {"impressions": 2, "interactions": 1}
TOPICS = set(EXPECTED)
WHOLE = {("impressions", 0), ("impressions", 1), ("interactions", 0)}


class Member:
    """Counts how often it was to join again."""

    tracer = None
    conf = SimpleNamespace(canonical_url="http://here:6066")
    tables = SimpleNamespace(changelog_topics=set(), data={})
    sensors = SimpleNamespace(on_assignment_start=lambda _: None, on_assignment_completed=lambda *_: None)
    batched_topics = EXPECTED
    rejoined = 0

    def rejoin(self) -> None:
        self.rejoined += 1


def cluster(**partitions: int) -> ClusterMetadata:
    """Return what a leader knows of the topics."""
    known = SimpleNamespace(partitions_for_topic=lambda topic: set(range(partitions.get(topic, 0))))
    return cast(ClusterMetadata, known)


@pytest.fixture
def member() -> Member:
    return Member()


@pytest.fixture
def assignor(member: Member) -> StaticMemberAssignor:
    return StaticMemberAssignor(cast(Any, member))


def assigned(by: StaticMemberAssignor, sent: ConsumerProtocolMemberMetadata, **known: int) -> Any:
    """Return what a leader that knows such topics gives a member that sent this."""
    return by.assign(cluster(**known), {"one": sent})["one"]


@pytest.mark.parametrize(
    ("distribution", "whole"),
    [
        ({"a": {"impressions": [0, 1], "interactions": [0]}}, True),
        ({"a": {"impressions": [1]}, "b": {"impressions": [0], "interactions": [0]}}, True),
        ({"a": {"impressions": [0, 1, 2], "interactions": [0], "other": [0]}}, True),
        ({"a": {"impressions": [0], "interactions": [0]}}, False),
        ({"a": {"interactions": [0]}}, False),
        ({}, False),
    ],
)
def test_all_members_together_have_everything_or_not(
    distribution: dict[str, dict[str, list[int]]], whole: bool
) -> None:
    assert handed_out(distribution, EXPECTED) is whole


def test_a_whole_assignment_is_taken(member: Member, assignor: StaticMemberAssignor) -> None:
    assignor.on_assignment(assigned(assignor, assignor.metadata(TOPICS), **EXPECTED))
    assert member.rejoined == 0


def test_one_made_when_a_topic_was_not_there_is_asked_for_again_in_other_words(
    member: Member, assignor: StaticMemberAssignor
) -> None:
    sent = assignor.metadata(TOPICS)
    old = assigned(assignor, sent, interactions=1)
    assignor.on_assignment(old)
    assert member.rejoined == 1
    again = assignor.metadata(TOPICS)
    assert again.user_data != sent.user_data, "a group whose member says the same as before hands out the same"
    assignor.on_assignment(assigned(assignor, again, **EXPECTED))
    assert member.rejoined == 1
    assert {tuple(one) for one in assignor.assigned_actives()} == WHOLE


def test_it_is_not_asked_for_without_end_where_the_leader_does_not_know_of_a_topic(
    member: Member, assignor: StaticMemberAssignor
) -> None:
    for _ in range(3):
        assignor.on_assignment(assigned(assignor, assignor.metadata(TOPICS), interactions=1))
    assert member.rejoined == 1


def test_an_assignment_made_for_another_address_is_taken(member: Member, assignor: StaticMemberAssignor) -> None:
    made = assigned(assignor, assignor.metadata(TOPICS), **EXPECTED)
    moved = StaticMemberAssignor(cast(Any, member))
    member.conf = SimpleNamespace(canonical_url="http://there:6066")
    moved.on_assignment(made)
    assert member.rejoined == 0
    assert {tuple(one) for one in moved.assigned_actives()} == WHOLE
