"""A record that ends the worker without an error: found by narrowing, set aside, and all others learned once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from processors.admission.interaction_records import ArrivedInteractions, InteractionReader
from streams.settings import KafkaSettings, Settings, load_settings
from streams.worker.redecoding import redecode
from tests.integration.days import Day, assert_policies_are_the_learners, first_deliveries, learned
from tests.integration.deadly_worker import DEADLY_TO_FOLD, DEADLY_TO_LEARN, STATUS
from tests.integration.workers import TOPICS, RunningWorker, read_all

pytestmark = pytest.mark.timeout(1200)

SHOWN = 40
MOST_DEATHS = 18
"""Nine for each record at the most: one untold, five until a stretch of 2,048 is one record, three of which count."""


def refuse_to_look_into(deadly: str) -> Callable[[InteractionReader, Sequence[bytes | None]], ArrivedInteractions]:
    """Return a reading of interactions that fails where this one is among them."""
    read = InteractionReader.read

    def reading(reader: InteractionReader, values: Sequence[bytes | None]) -> ArrivedInteractions:
        assert not any(deadly.encode() in (value or b"") for value in values)
        return read(reader, values)

    return reading


def test_a_record_that_ends_the_worker_without_an_error_is_set_aside_and_all_others_are_learned_once(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, servers: str
) -> None:
    day = Day(servers)
    day.goes_on(SHOWN)
    day.ends()
    well = set(day.expected) - {DEADLY_TO_FOLD, DEADLY_TO_LEARN}
    deaths = 0
    worker = RunningWorker(tmp_path, servers, command=(sys.executable, "-m", "tests.integration.deadly_worker"))
    while not worker.lives_until(lambda: learned(servers) == well):
        assert worker.ended() == STATUS, worker.said()[-3_000:]
        deaths += 1
        assert deaths <= MOST_DEATHS, worker.said()[-3_000:]
    worker.until(lambda: worker.metric("groundswell_policy_version") == len(well), "the last policy")
    assert worker.stop()[0] == 0
    assert deaths > 3
    aside = [(record.key, record.value, dict(record.headers)) for record in read_all(servers, TOPICS.dead_letter)]
    assert {(headers["topic"].decode(), headers["reason"]) for *_, headers in aside} == {
        (TOPICS.impressions, b"poison"),
        (TOPICS.interactions, b"poison"),
    }
    assert all(b"died, without an error" in headers["detail"] for *_, headers in aside)
    of = {headers["topic"].decode(): (key, value) for key, value, headers in aside}
    assert of[TOPICS.impressions][0] == DEADLY_TO_FOLD.encode()
    assert DEADLY_TO_LEARN.encode() in of[TOPICS.interactions][1]
    log = [one for one in first_deliveries(servers) if one.impression.impression_id in well]
    assert {one.impression.impression_id: one.signals for one in log} == {
        name: signals for name, signals in day.expected.items() if name in well
    }
    settings = load_settings(tmp_path / "worker.toml")
    assert_policies_are_the_learners(servers, settings.models["feed"], log)

    kafka = KafkaSettings(bootstrap_servers=servers)
    known = Settings(kafka=kafka, topics=TOPICS, models=settings.models)
    monkeypatch.setattr(InteractionReader, "read", refuse_to_look_into(f'"{DEADLY_TO_LEARN}"'))
    assert [found.learned for found in redecode(known, "feed", check=True)] == [len(well)]
