"""What producers write that lie, on a real worker: each does so to a model of its own, beside some that are left alone.

All models are shown the same people, of whom the second half come when the lies have been learned.
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pytest

from experiments.people.three_state import ThreeStateUsers
from experiments.servers.embedded_broker import EmbeddedBroker
from groundswell.chunks import assemble
from groundswell.events import Action
from groundswell.policy import Policy, PolicySnapshot, decode
from tests.factories import feedback, impression
from tests.integration.workers import CONFIGURATION, TOPICS, Apps, RunningWorker, read_all, with_topics

pytestmark = pytest.mark.timeout(400)

BITS = 16
PEOPLE, ACTIONS = 24, 5
BEFORE, AFTER = 1_500, 2_000
"""Impressions of those who are known when lies come, and of those who come later."""
OFFERED = [{"id": f"a{number}"} for number in range(ACTIONS)]
DEFAULT = 'definitely_negative = ["dislike"]\n'
PAPERS = f'{DEFAULT}reward = {{rule = "iclr", alpha = 0.2}}\n'

Lie = dict[str, Any]
"""Members of an impression, and `signal`, with which it is answered."""


def giant() -> list[Lie]:
    """Return one impression, of 44 kB, with as many crosses of features as are let in."""
    context = {f"g{number}": 1.0 for number in range(1_000)}
    actions = [{"id": f"b{number}"} for number in range(1_900)]
    return [{"context": context, "actions": actions, "chosen": 7, "propensity": 1e-9, "signal": "click"}]


def heavy() -> list[Lie]:
    """Return a dozen small ones, each of which says that it stands for a thousand million."""
    actions = [{"id": f"b{number}"} for number in range(200)]
    return [
        {
            "context": {f"g{200 * number + place}": 1.0 for place in range(200)},
            "actions": actions, "chosen": number, "propensity": 1 / 200, "weight": 1e9,
            "signal": ("click", "dislike", "skip")[number % 3],
        }
        for number in range(12)
    ]  # fmt: skip


def new_names() -> list[Lie]:
    """Return 66 ordinary ones, each with names of features that nobody else has."""
    return [
        {"context": {"user": "u0", **{f"n{number}-{place}": 1.0 for place in range(500)}}, "signal": "none"}
        for number in range(66)
    ]


def outliers() -> list[Lie]:
    """Return ones that say they were next to impossible, with signals that nobody else gives."""
    return [{"propensity": 1e-9, "signal": f"z{number}"} for number in range(20)]


class Play(NamedTuple):
    """How a model is configured, what is written to it, and whether its apps log the id of a session."""

    configuration: str
    lies: Sequence[Lie] = ()
    sessions: bool = False


PLAYS: Mapping[str, Play] = {
    "honest": Play(DEFAULT),
    "giant": Play(DEFAULT, giant()),
    "heavy": Play(DEFAULT, heavy()),
    "names": Play(DEFAULT, new_names()),
    "sessions": Play(DEFAULT, sessions=True),
    "outliers": Play(DEFAULT, outliers()),
    "honest by the papers": Play(PAPERS),
    "giant by the papers": Play(PAPERS, giant()),
    "heavy by the papers": Play(PAPERS, heavy()),
}


class Aftermath(NamedTuple):
    """What the worker has published of each model when all is learned, what it says, and who came late."""

    policies: Mapping[str, PolicySnapshot]
    worker: RunningWorker
    newcomers: ThreeStateUsers

    def best_first(self, model: str) -> int:
        """Return for how many who came late what they enjoy is ranked first."""
        policy, actions = Policy(self.policies[model]), [Action(one["id"]) for one in OFFERED]
        ranked = [np.argmax(policy.scores({"user": f"new{who}"}, actions)) for who in range(PEOPLE)]
        return int(sum(self.newcomers.states[who, first] == 1 for who, first in enumerate(ranked)))

    def epsilon(self, model: str) -> float:
        """Return how much a model explores."""
        return self.policies[model].exploration.parameter

    def metric(self, name: str, model: str) -> float:
        """Return a metric of a model."""
        return self.worker.metric(f"groundswell_{name}", model=model)


class Writer:
    """Writes to all models, and says when an hour ago is over."""

    def __init__(self, servers: str, worker: RunningWorker) -> None:
        self._apps, self._worker = Apps(servers), worker
        self._at = round(time.time() * 1000) - 3_600_000
        self._written = dict.fromkeys(PLAYS, 0)

    def write(self, model: str, signal: str, **members: Any) -> None:
        name = f"{model}-{self._written[model]}"
        self._written[model] += 1
        self._at += 1
        if "propensity" not in members:
            members["probabilities"] = [1 / ACTIONS] * ACTIONS
        shown = {"actions": OFFERED, "probabilities": None, **members}
        self._apps.send(TOPICS.impressions, impression(name, self._at, model=model, **shown))
        if signal != "none":
            self._apps.send(TOPICS.feedback, feedback(name, self._at + 500, signal=signal))

    def people_come(self, people: ThreeStateUsers, named: str, visits: int) -> None:
        rng = random.Random(named)
        for visit in range(visits):
            who, chosen = visit % PEOPLE, rng.randrange(ACTIONS)
            signal = people.signal(who, chosen)
            for model, play in PLAYS.items():
                session = {"session": f"{named}-{visit // 5}"} if play.sessions else {}
                context = {"user": f"{named}{who}", **session}
                self.write(model, signal, context=context, chosen=chosen)
        self.is_learned()

    def lie(self) -> None:
        for model, play in PLAYS.items():
            for one in play.lies:
                self.write(model, **one)
        self.is_learned()

    def is_learned(self) -> None:
        """Let all windows close, and wait for a policy of each model that includes everything."""
        self._at += 60_000
        self._apps.end(self._at)
        for model, count in self._written.items():
            self._worker.until(partial(self._has_learned, model, count), f"{model} to be learned")

    def _has_learned(self, model: str, count: int) -> bool:
        return self._worker.metric("groundswell_policy_version", model=model) == count


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aftermath]:
    directory = tmp_path_factory.mktemp("influence")
    head = CONFIGURATION.partition("[models")[0]
    models = "".join(f'[models."{name}"]\nhash_bits = {BITS}\n{play.configuration}' for name, play in PLAYS.items())
    with EmbeddedBroker(directory / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        with RunningWorker(directory, servers, configuration=head + models) as worker:
            writer, newcomers = Writer(servers, worker), ThreeStateUsers(PEOPLE, ACTIONS, 0.3, seed=5)
            writer.people_come(ThreeStateUsers(PEOPLE, ACTIONS, 0.3, seed=4), "u", BEFORE)
            writer.lie()
            writer.people_come(newcomers, "new", AFTER)
            newest = {record.key: record.value for record in read_all(servers, TOPICS.policies)}
            whole = {name: assemble(name.encode(), newest)[0] for name in PLAYS}
            yield Aftermath({name: decode(one or b"") for name, one in whole.items()}, worker, newcomers)


@pytest.mark.parametrize("lies", ["giant", "heavy"])
@pytest.mark.parametrize("by", ["", " by the papers"], ids=["by default", "by the papers' rule"])
def test_line_5_neither_one_giant_impression_nor_heavy_ones_keep_newcomers_from_their_best_action(
    aftermath: Aftermath, lies: str, by: str
) -> None:
    assert aftermath.best_first(f"honest{by}") >= PEOPLE - 4
    assert aftermath.best_first(f"{lies}{by}") >= aftermath.best_first(f"honest{by}") - 1


@pytest.mark.parametrize("model", ["names", "sessions"])
def test_line_6_neither_new_names_nor_ids_of_sessions_are_explored_for(aftermath: Aftermath, model: str) -> None:
    assert aftermath.epsilon("honest") < 0.6
    assert aftermath.epsilon(model) < 1.25 * aftermath.epsilon("honest")


def test_line_7_outliers_spoil_neither_log_loss_nor_mean_nor_effective_weight(aftermath: Aftermath) -> None:
    loss = "ik_log_loss"
    assert aftermath.metric(loss, "outliers") < aftermath.metric(loss, "honest") + 0.3
    assert aftermath.metric("mean_importance_weight", "outliers") < 2
    assert aftermath.metric("effective_sample_share", "outliers") > 0.3


def test_line_10_what_one_message_adds_to_policies_and_checkpoints_is_bounded_and_it_is_named(
    aftermath: Aftermath,
) -> None:
    rows, model = 1 << BITS, "giant by the papers"
    assert 0 < aftermath.metric("policy_bytes", model) < 2 * 32 * rows
    assert 0 < aftermath.worker.metric("groundswell_checkpoint_bytes") < 80 * rows * len(PLAYS)
    assert aftermath.worker.metric("groundswell_condition", condition="policy_grew", subject=model) == 1
    grew = [line for line in aftermath.worker.said().splitlines() if "has grown from" in line]
    assert [line for line in grew if f"'{model}-{BEFORE}'" in line and "1000 features and 1900 actions" in line]
