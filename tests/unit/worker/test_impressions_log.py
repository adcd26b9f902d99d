"""Interactions of impressions that nobody has logged, as the log is asked how far it has got."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka.errors import KafkaConnectionError, KafkaTimeoutError
from msgspec.structs import replace

from groundswell.events import Interaction, Source
from processors.learners.ledger import Ledger
from streams.worker import impressions_log
from streams.worker.impressions_log import ImpressionsLog
from tests.unit.rounds import uniform_log
from tests.unit.stand_ins import cut
from tests.unit.worker.test_partition_learner import Learned, written


class Broker:
    """A topic of impressions with one partition, that counts how often it was asked for its end."""

    def __init__(self, end: int) -> None:
        self.end, self.topic_id, self.asked, self.away = end, "now", 0, 0
        self.log = ImpressionsLog("impressions", {"impressions": "now"}, self.ends, self.id)

    async def ends(self) -> dict[int, int]:
        if self.away:
            self.away -= 1
            raise KafkaTimeoutError
        self.asked += 1
        return {0: self.end}

    async def id(self) -> str | None:
        if self.away:
            self.away -= 1
            raise KafkaConnectionError
        return self.topic_id

    def unfounded(self, *offsets: int) -> Sequence[int]:
        sources = [Source(0, offset, 0, "now") for offset in offsets]
        return list(asyncio.run(self.log.unfounded(Ledger(), sources)))


def test_the_log_is_asked_only_where_an_interaction_is_beyond_what_is_known() -> None:
    broker = Broker(100)
    assert broker.unfounded(0, 99) == []
    assert broker.unfounded(*range(100)) == []
    assert broker.asked == 1
    broker.end = 200
    assert broker.unfounded(150, 199, 200) == [2]
    assert broker.asked == 2


def test_of_a_topic_that_was_made_again_meanwhile_nothing_is_unfounded() -> None:
    broker = Broker(100)
    assert broker.unfounded(50) == []
    broker.end, broker.topic_id = 3, "again"
    assert broker.unfounded(120) == []
    assert broker.unfounded(50) == [], "nor is it believed later on how far that one had got"


@pytest.mark.parametrize("away", [1, 3])
def test_without_a_broker_it_waits(monkeypatch: pytest.MonkeyPatch, away: int) -> None:
    monkeypatch.setattr(impressions_log, "AGAIN_SECONDS", 0.0)
    broker = Broker(100)
    broker.away = away
    assert broker.unfounded(7, 100) == [1]
    assert broker.away == 0


def test_such_a_one_is_set_aside_and_the_policy_is_as_if_it_had_never_come() -> None:
    log = uniform_log(80)
    broker = Broker(max(one.source.offset for one in log) + 1)

    def learns(log: Sequence[Interaction]) -> Learned:
        learned = Learned()
        learned.learner._impressions_log = broker.log
        learned.reads(cut([written(one, offset) for offset, one in enumerate(log)], range(0, 80, 7)))
        learned.checkpoints()
        return learned

    beyond = replace(log[0], source=Source(0, broker.end, 0))
    floor = replace(log[0], source=Source(0, 3, 10**12))
    forged, honest = learns([beyond, *log[:40], floor, beyond, *log[40:]]), learns(log)
    reasons = [one.headers["reason"] for one in forged.log.of("dead-letter")]
    assert reasons == [b"impression_not_logged"] * 3
    assert forged.policies() == honest.policies()
    assert forged.rewards() == honest.rewards()
    assert forged.learner._ledger.state() == honest.learner._ledger.state()
