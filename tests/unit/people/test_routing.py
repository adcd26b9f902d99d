"""Requests routed to language models: what the simulator says, and that the preset says the same."""

from __future__ import annotations

import tomllib

import numpy as np
import pytest

from experiments.people import routing
from experiments.people.playing import INFERRED, TRUE, played
from experiments.people.world import World
from experiments.servers.kafka_distribution import PROJECT
from streams.settings import Settings

pytestmark = pytest.mark.timeout(600)  # the first test compiles the loop, on a busy machine for two minutes
HONEST = [routing.SIGNALS.index(name) for name in routing.HONEST]


def tables(case: str) -> np.ndarray:
    """Return the probabilities of signals by request, model, state and signal."""
    world = routing.world(case, 1)
    return world.emissions.reshape(len(routing.REQUESTS), len(routing.MODELS), 3, -1)


def test_length_and_latency_stand_where_nothing_else_came_and_tell_the_model() -> None:
    plain, logged = tables("no length, no latency"), tables("length and latency")
    none = routing.SIGNALS.index("none")
    others = [place for place in HONEST if place != none]
    assert np.allclose(plain[..., others], logged[..., others])
    assert logged[..., none].max() == 0.0
    foretold = np.delete(logged, HONEST, axis=-1) > 0
    assert (foretold == foretold[0, :, :1]).all(), "by the model alone, whatever is asked and felt"
    assert len(np.unique(foretold[0, :, 0], axis=0)) > 2


def test_length_may_differ_by_request_but_never_by_what_is_felt() -> None:
    logged = np.delete(tables("length by request"), HONEST, axis=-1) > 0
    assert (logged == logged[:, :, :1]).all()
    assert (logged != logged[:1]).any()


def test_no_model_is_best_for_all_requests() -> None:
    world = routing.world("length and latency", 2)
    worth = np.array([world.states[world.kinds == kind].mean(axis=0) for kind in range(len(routing.REQUESTS))])
    assert len(set(worth.argmax(axis=1).tolist())) >= 3
    assert np.isin([-1, 0, 1], world.states).all()


def test_the_preset_says_what_the_simulated_router_is_told() -> None:
    settings = Settings.model_validate(tomllib.loads((PROJECT / "deploy/routing.toml").read_text()))
    model = settings.models["routing"]
    assert model.definitely_negative == routing.NEGATIVE
    assert model.definitely_positive == routing.POSITIVE
    assert model.model_dump(exclude_defaults=True, exclude={"name", "definitely_negative", "definitely_positive"}) == {}
    assert settings.segments["routing"].feature == "request"


def test_requests_are_routed_nearly_as_well_as_by_one_who_knows() -> None:
    world: World = routing.world("length and latency", 4)
    ours, oracle = (played(world, source, 4) for source in (INFERRED, TRUE))
    chance = world.states.mean()
    share = (ours.values[-20_000:].mean() - chance) / (oracle.values[-20_000:].mean() - chance)
    assert share >= 0.8
