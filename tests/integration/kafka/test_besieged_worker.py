"""A worker under a limit of memory, an hour of what the fuzzer draws on its topics, and honest apps beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experiments.fuzz.siege import besieged
from experiments.servers.apache_kafka import ApacheKafka

SECONDS = float(os.environ.get("SIEGE_SECONDS", "3600"))

pytestmark = [pytest.mark.kafka, pytest.mark.nightly, pytest.mark.timeout(SECONDS + 1_800)]


def test_it_survives_in_flat_memory_and_learns_all_that_honest_apps_log_exactly_once(tmp_path: Path) -> None:
    with ApacheKafka(tmp_path / "kafka") as kafka:
        found = besieged(kafka.bootstrap_servers, tmp_path, SECONDS, 20, print)
    assert (found.lost, found.learned_twice) == ([], [])
    assert found.flat, f"memory grows: {found.most}"
