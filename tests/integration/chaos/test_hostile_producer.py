"""A producer that writes whatever it may beside honest apps, while the worker is killed: nothing honest is lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.chaos.input_logs import write_input
from experiments.chaos.phase import Phase
from experiments.chaos.run import LIVE_JOIN, MODELS, WORKER, chaos_settings
from experiments.chaos.schedule import Disturbance, Moment
from experiments.servers.embedded_broker import EmbeddedBroker

pytestmark = pytest.mark.timeout(600)

HONEST, SECONDS = 3_000, 20.0
KILLS = [Moment(at, Disturbance.KILL, choice) for at, choice in ((4.0, 1), (9.0, 4), (14.0, 3))]


def test_nothing_honest_is_lost_or_learned_twice_beside_a_hostile_producer(tmp_path: Path) -> None:
    write_input(tmp_path, HONEST, MODELS, 5, LIVE_JOIN)
    with EmbeddedBroker(tmp_path / "broker") as broker:
        settings = chaos_settings("hostile", broker, 2, LIVE_JOIN)
        phase = Phase(broker, tmp_path / "phase", settings, KILLS, SECONDS, WORKER, workers=1, hostile=5)
        found = phase.run(tmp_path)
    assert (found.lost, found.learned_twice, found.policy_identical) == (0, 0, True), found
    assert found.clean, found
    assert (found.honest, found.honest_late) == (HONEST, 0)
    # How many of its records come before the honest producers end depends on the machine.
    assert found.impressions > found.honest, "the hostile producer's impressions have to be learned too"
    assert found.refused > 0
    assert (phase.kills, phase.crashes, phase.hangs) == (len(KILLS), 0, 0), phase.events
