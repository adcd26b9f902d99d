"""What comes late, or by a clock that is ahead, beside live traffic, and how a restart affects a quiet log."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from experiments.servers.embedded_broker import EmbeddedBroker
from processors.wire.envelopes import decode_interaction
from tests.factories import feedback, impression
from tests.integration.workers import TOPICS, Apps, RunningWorker, read_all, with_topics

pytestmark = pytest.mark.timeout(400)

MANY, FEW = 40, 10
WAIT, GRACE = 4.0, 6.0
ENVIRONMENT = {
    "GROUNDSWELL_JOIN__WAIT": str(WAIT),
    "GROUNDSWELL_JOIN__GRACE": str(GRACE),
    "GROUNDSWELL_JOIN__BACKWARD": "60",
    "GROUNDSWELL_JOIN__IDLE": "1",
}
AHEAD_MS, LATE_MS = 65_000, 120_000


def now() -> int:
    return round(time.time() * 1000)


def joined(servers: str) -> dict[str, list[str]]:
    interactions = [decode_interaction(record.value) for record in read_all(servers, TOPICS.interactions)]
    return {one.impression.impression_id: one.signals for one in interactions}


def reasons(servers: str, topic: str) -> Counter[bytes]:
    return Counter(dict(record.headers)["reason"] for record in read_all(servers, topic))


def test_what_is_late_is_set_aside_and_a_clock_that_is_ahead_spoils_nothing(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        apps = Apps(servers)
        with RunningWorker(tmp_path, servers, environment=ENVIRONMENT) as worker:
            names = [f"live{number}" for number in range(MANY)]
            for name in names:
                apps.send("impressions", impression(name, now()))
            for name in names[:FEW]:
                apps.send("feedback", feedback(name, now() + AHEAD_MS, feedback_id=f"{name}-ahead"))
            apps.flush()
            for name in names:
                apps.send("feedback", feedback(name, now(), signal="like"))
            apps.flush()
            late = [f"late{number}" for number in range(MANY)]
            for name in late:
                apps.send("impressions", impression(name, now() - LATE_MS))
                apps.send("feedback", feedback(name, now() - LATE_MS + 1_000, signal="like"))
            apps.flush()
            worker.until(lambda: len(joined(servers)) == MANY, "the live impressions to close")
            assert joined(servers) == {name: ["like"] for name in names}
            assert reasons(servers, TOPICS.dead_letter) == {b"late_impression": MANY}
            assert reasons(servers, TOPICS.late_feedback) == {b"late": FEW, b"late_impression": MANY}
            assert worker.metric("groundswell_join_total", outcome="late_impression") == MANY
            assert worker.metric("groundswell_join_total", outcome="none") == 0

            apps.send("impressions", impression("quiet", now()))
            apps.flush()
            worker.until(lambda: worker.metric("groundswell_join_pending") == 1, "it to wait")
            worker.kill()
            worker.start()
            worker.until(lambda: "quiet" in joined(servers), "the one in a quiet log to close")
            # That it closes as soon as without a restart is shown on a clock of its own (test_partition_join.py).
        apps.close()
