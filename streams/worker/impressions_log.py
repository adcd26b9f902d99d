"""How far the log of impressions has got, for telling interactions that no join can have written.

Whoever may write `interactions` may write one of an impression that is yet to come. Learned, it would have all that
comes before it count as learned. An impression is logged before its interaction is written: so where the log, asked
after an interaction was read, has not got to its impression, somebody else has written it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, TypeVar

from aiokafka.errors import KafkaError

from groundswell.events import Source
from processors.learners.ledger import Ledger
from streams.kafka.topics import NO_ID

T = TypeVar("T")
AGAIN_SECONDS: Final = 1.0
"""After which a broker that has not answered is asked again."""


class ImpressionsLog:
    """Where the partitions of the topic of impressions end, asked anew only where an interaction is beyond.

    `ends` asks the broker for the next offset of each, `topic_id` for the id that the topic has now; None where it is
    away. `known_ids` are those with which the worker began.
    """

    def __init__(
        self,
        name: str,
        known_ids: Mapping[str, str],
        ends: Callable[[], Awaitable[Mapping[int, int]]],
        topic_id: Callable[[], Awaitable[str | None]],
    ) -> None:
        self._name, self._known_ids = name, known_ids
        self._ask_ends, self._ask_topic_id = ends, topic_id
        self._ends: Mapping[int, int] = {}

    async def unfounded(self, ledger: Ledger, sources: Sequence[Source]) -> Mapping[int, str]:
        """Return which of these interactions no join can have written, and why (see `Ledger.unfounded`)."""
        known = self._known_ids.get(self._name, NO_ID)
        if not ledger.unfounded(sources, self._ends, known):
            return {}
        self._ends = await _answered(self._ask_ends)
        found = ledger.unfounded(sources, self._ends, known)
        if found and await _answered(self._ask_topic_id) != known:
            self._ends = {}  # of another topic under this name, which ends the worker
            return {}
        return found


async def _answered(ask: Callable[[], Awaitable[T]]) -> T:
    """Ask until there is an answer: without a broker a worker waits."""
    while True:
        try:
            return await ask()
        except (KafkaError, OSError):
            await asyncio.sleep(AGAIN_SECONDS)
