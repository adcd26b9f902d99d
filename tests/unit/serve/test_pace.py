"""How much is taken in at a time."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import httpx2
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
    at_a_time = AtATime(1)
    with suppress(KeyError), at_a_time.one_more():
        assert at_a_time.count == 1
        raise KeyError
    assert at_a_time.count == 0
    at_a_time.check()


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
