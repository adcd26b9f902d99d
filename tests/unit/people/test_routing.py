"""Requests routed to language models: what the simulator says, and that the preset says the same."""

from __future__ import annotations

import dataclasses
import tomllib

import numpy as np
import pytest

from experiments.people import routing
from experiments.people.playing import INFERRED, TRUE
from experiments.servers.kafka_distribution import PROJECT
from streams.settings import Settings

pytestmark = pytest.mark.timeout(600)  # the first test compiles the loop, on a busy machine for two minutes


def test_what_the_app_logs_tells_the_model_and_nothing_of_what_is_felt() -> None:
    plain, logged, by_request = (routing.world(case, 1) for case in routing.CASES)
    assert not plain.leaking
    assert logged.leaking == by_request.leaking == {routing.LENGTH, routing.LATENCY}
    assert (logged.tokens == logged.tokens[0]).all(), "by the model alone"
    assert not (by_request.tokens == by_request.tokens[0]).all()
    assert np.array_equal(logged.emissions, plain.emissions), "people do the same"


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


def short(case: str, seed: int, visits: int) -> routing.Requests:
    world = routing.world(case, seed)
    cut = {name: getattr(world, name)[:visits] for name in ("contexts", "sets", "rows", "kinds", "states")}
    return dataclasses.replace(world, **cut)


def test_length_and_latency_are_found_and_left_out_and_requests_are_routed_nearly_as_by_one_who_knows() -> None:
    world = short("length and latency", 4, 16_000)
    ours, oracle = (routing.played(world, source, 4) for source in (INFERRED, TRUE))
    assert set(ours.left_out) == world.leaking
    chance = world.states.mean()
    assert ours.values[-4_000:].mean() - chance >= 0.6 * (oracle.values[-4_000:].mean() - chance)
