"""A producer that may write nothing but events, on a real worker: what it writes ends nothing and takes no memory."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.factories import feedback, impression
from tests.integration.days import Day, first_deliveries, learned
from tests.integration.workers import CONFIGURATION, TOPICS, Apps, RunningWorker

pytestmark = pytest.mark.timeout(400)

LARGE = 50_000
BOUND = 400_000
HONEST = 200
QUIET = CONFIGURATION.replace("idle = 600.0", "idle = 2.0")
NOW = 3_600_000
"""How long (ms) after `Day` begins it is now."""


def test_line_1_a_shard_feature_beyond_what_a_float_holds_ends_no_worker(tmp_path: Path, servers: str) -> None:
    apps, day = Apps(servers), Day(servers)
    at = round(time.time() * 1000) - NOW
    for number, user in enumerate([10**400, -(10**30), 2**63, 1e308]):
        apps.send(TOPICS.impressions, impression(f"odd-{number}", at, context={"user": user}))
    apps.flush()
    with RunningWorker(tmp_path, servers, configuration=f'{CONFIGURATION}sharded_by = "user"\n') as worker:
        day.goes_on(HONEST)
        day.ends()
        worker.until(lambda: set(day.expected) <= learned(servers), "everything honest to be learned")
        assert worker.stop()[0] == 0
        worker.start()
        assert worker.stop()[0] == 0


def test_line_3_one_refused_record_after_the_other_holds_up_no_quiet_log(tmp_path: Path, servers: str) -> None:
    apps, day = Apps(servers), Day(servers)
    with RunningWorker(tmp_path, servers, configuration=QUIET) as worker:
        day.goes_on(HONEST)
        sent = time.monotonic()

        def all_learned_beside_garbage() -> bool:
            nonlocal sent
            if time.monotonic() - sent > 0.25:
                sent = time.monotonic()
                for topic in (TOPICS.impressions, TOPICS.feedback):
                    for partition in range(TOPICS.event_partitions):
                        apps.send_bytes(topic, b"k", b"no JSON", partition=partition)
            return learned(servers) == set(day.expected)

        worker.until(all_learned_beside_garbage, "windows to close while garbage comes")


def test_line_4_feedback_from_clocks_that_are_ahead_makes_nobody_elses_late(tmp_path: Path, servers: str) -> None:
    apps = Apps(servers)
    with RunningWorker(tmp_path, servers, configuration=QUIET) as worker:
        now = round(time.time() * 1000)
        for number, ahead in enumerate([900, 50_000] * 20):
            apps.send(TOPICS.feedback, feedback(f"nobody-{number}", now + ahead))
        apps.flush()
        for number in range(20):
            name, at = f"now-{number}", round(time.time() * 1000)
            apps.send(TOPICS.impressions, impression(name, at))
            apps.send(TOPICS.feedback, feedback(name, at))
        apps.flush()
        worker.until(lambda: len(learned(servers)) == 20, "all to be learned")
    assert [one.signals for one in first_deliveries(servers)] == [["click"]] * 20


def test_lines_2_and_9_what_waits_came_early_or_was_evicted_is_bounded_by_bytes(tmp_path: Path, servers: str) -> None:
    apps, day, noise = Apps(servers), Day(servers), random.Random(0)
    at = round(time.time() * 1000) - NOW
    bounds = f"max_pending_bytes = {BOUND}\nmax_early_bytes = {BOUND}\nwait = 200.0"
    configuration = CONFIGURATION.replace("wait = 2.0", bounds)
    with RunningWorker(tmp_path, servers, configuration=configuration) as worker:
        flood = 20 * TOPICS.event_partitions * BOUND // LARGE
        for number in range(flood):
            large = noise.randbytes(LARGE // 2).hex()
            apps.send(TOPICS.impressions, impression(f"large-{number}", at, padding=large))
            apps.send(TOPICS.feedback, feedback(f"nobody-{number}", at, padding=large[:3_000]))
        apps.flush()
        worker.until(
            lambda: worker.metric("groundswell_dead_letters_total", reason="evicted") >= 0.8 * flood, "the evictions"
        )
        partitions = TOPICS.event_partitions
        assert worker.metric("groundswell_join_pending_bytes") <= partitions * BOUND
        assert worker.metric("groundswell_join_early_feedback_bytes") <= partitions * BOUND
        most = 3 * partitions * BOUND
        worker.until(lambda: worker.metric("groundswell_join_segment_bytes") < most, "segments to be thinned")
        worker.kill()
        worker.start()
        assert worker.metric("groundswell_join_segment_bytes") < 2 * most
        assert worker.metric("groundswell_join_pending_bytes") <= partitions * BOUND
        day.goes_on(HONEST)
        apps.end(at + 2 * NOW // 3)
        day.ends()
        worker.until(lambda: set(day.expected) <= learned(servers), "everything honest to be learned")
