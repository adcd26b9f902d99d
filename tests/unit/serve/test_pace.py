"""How much is taken in at a time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from contextlib import suppress

import httpx2
import numpy as np
import pytest

from streams.serve.pace import AtATime, Paces
from streams.serve.refused import RefusedError
from tests.unit.serve.served import RANK, KeptLog, api


def taken(paces: Paces, holder: str, now: float) -> bool:
    try:
        paces.take(holder, now)
    except RefusedError:
        return False
    return True


def test_a_seconds_worth_comes_at_once_and_then_as_many_as_time_passes() -> None:
    paces = Paces(8)
    assert [taken(paces, "a", 100.0) for _ in range(9)] == [True] * 8 + [False]
    assert taken(paces, "b", 100.0)
    assert [taken(paces, "a", 100.375) for _ in range(4)] == [True] * 3 + [False]
    assert [taken(paces, "a", 200.0) for _ in range(9)] == [True] * 8 + [False]


def test_less_than_one_a_second_says_how_long_to_wait() -> None:
    paces = Paces(0.1)
    paces.take("a", 0.0)
    with pytest.raises(RefusedError) as refused:
        paces.take("a", 4.0)
    assert refused.value.headers == {"Retry-After": "6"}
    assert taken(paces, "a", 10.0)


def test_what_fails_is_counted_no_longer() -> None:
    async def fail(at_a_time: AtATime) -> None:
        async with at_a_time.turn():
            assert at_a_time.count == 1
            raise KeyError

    at_a_time = AtATime(1)
    with suppress(KeyError):
        asyncio.run(fail(at_a_time))
    assert at_a_time.count == 0
    assert not at_a_time.is_full


REFUSE_SECONDS, DECIDE_SECONDS = 0.0001, 0.0007


class Server:
    """One core on a clock of its own: all that came while it worked at the last ones is its next round."""

    def __init__(self) -> None:
        self.now = 0.0
        self.at_a_time = AtATime(16, lambda: self.now, lambda: self.now - self.elsewhere)
        self.elsewhere = 0.0
        self.waited: list[float] = []

    async def run(self, arrivals: Iterator[float], until: float) -> None:
        """Work at what comes at these moments (s)."""
        due = next(arrivals)
        while due < until:
            self.now = max(self.now, due)
            async with asyncio.TaskGroup() as group:
                while due <= self.now:
                    group.create_task(self._answer(due))
                    due = next(arrivals)

    async def _answer(self, came: float) -> None:
        if self.at_a_time.is_full:
            self.now += REFUSE_SECONDS
            return
        async with self.at_a_time.turn():
            self.now += DECIDE_SECONDS
            self.waited.append(self.now - came)


def evenly(per_second: float, together: int) -> Iterator[float]:
    return (number // together * together / per_second for number in itertools.count())


def test_in_a_flood_those_that_are_taken_are_answered_soon() -> None:
    server = Server()
    arrivals = evenly(4_000, 5)
    asyncio.run(server.run(arrivals, 2.0))
    server.waited.clear()
    asyncio.run(server.run(arrivals, 10.0))
    assert np.percentile(server.waited, 99) < 0.012
    # Of what is left of the core beside what is refused it takes two thirds.
    assert len(server.waited) > 8 * 0.66 * (1 - 4_000 * REFUSE_SECONDS) / (DECIDE_SECONDS - REFUSE_SECONDS)


@pytest.mark.parametrize(("per_second", "together"), [(500, 10), (1_000, 16), (1_300, 1)])
def test_where_those_that_come_together_are_soon_answered_nobody_is_refused(per_second: float, together: int) -> None:
    server = Server()
    asyncio.run(server.run(evenly(per_second, together), 5.0))
    assert len(server.waited) == sum(
        1 for _ in itertools.takewhile(lambda due: due < 5.0, evenly(per_second, together))
    )


def test_while_others_have_the_processor_nobody_is_refused() -> None:
    server = Server()

    async def answer() -> None:
        async with server.at_a_time.turn():
            server.now += DECIDE_SECONDS

    async def ask_all() -> None:
        for _ in range(500):
            assert not server.at_a_time.is_full
            task = asyncio.create_task(answer())
            await asyncio.sleep(0)
            server.now += 0.05  # somebody else's
            server.elsewhere += 0.05
            await task

    asyncio.run(ask_all())


def test_after_a_flood_all_are_taken_again() -> None:
    server = Server()
    asyncio.run(server.run(evenly(4_000, 5), 2.0))
    calm = [server.now + one for one in itertools.islice(evenly(500, 1), 5_000)]
    asyncio.run(server.run(iter(calm), calm[1_000]))  # two seconds
    server.waited.clear()
    asyncio.run(server.run(iter(calm[1_000:]), calm[-1]))
    assert len(server.waited) == len(calm[1_000:-1])


def test_of_those_that_come_at_once_so_many_are_answered_and_the_rest_is_told_to_come_again() -> None:
    log = KeptLog(waits=True)

    async def ask() -> list[httpx2.Response]:
        application = api(log, max_concurrent=3, write_seconds=60).application()
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(application), base_url="http://localhost") as app:
            asked = [asyncio.create_task(app.post("/v1/rank", json=RANK)) for _ in range(8)]
            while sum(one.done() for one in asked) < 5 or log.written < 3:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0)
            for message in log.messages:
                message.set_result(None)
            return await asyncio.gather(*asked)

    answers = asyncio.run(ask())
    assert sorted(one.status_code for one in answers) == [200] * 3 + [429] * 5
    assert {one.headers.get("Retry-After") for one in answers} == {None, "1"}


def test_those_that_wait_for_kafka_keep_nobody_from_being_answered() -> None:
    prompt, patient = KeptLog(waits=True), KeptLog(waits=True)

    async def ask() -> tuple[list[httpx2.Response], httpx2.Response, str]:
        served = api(prompt, patient, max_concurrent=1, write_seconds=60).application()
        async with httpx2.AsyncClient(transport=httpx2.ASGITransport(served), base_url="http://localhost") as app:
            waiting = []
            for number in range(5):
                waiting.append(asyncio.create_task(app.post("/v1/rank", json=RANK)))
                while prompt.written <= number:  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(0)
            later = await app.post("/v1/rank?write=later", json=RANK)
            metrics = (await app.get("/metrics")).text
            for message in prompt.messages:
                message.set_result(None)
            return await asyncio.gather(*waiting), later, metrics

    waited, later, metrics = asyncio.run(ask())
    assert (later.status_code, later.json()["written"]) == (200, "later")
    assert "groundswell_serve_under_way 5.0" in metrics.splitlines()
    assert [one.status_code for one in waited] == [200] * 5
