"""Snapshots, judged by a second implementation that follows the text of groundswell/policy.py only."""

import json
from typing import Any
from zlib import crc32

import msgspec
import pytest

from groundswell.events import Action, Features
from groundswell.exploration import Exploration
from groundswell.policy import Policy, PolicyError, PolicySnapshot, Weights, decode, encode
from processors.learners.learner import Learner
from processors.models.config import ModelConfig
from tests.unit.rounds import ACTIONS, interaction, uniform_log


def independent_scores(content: bytes, context: Features, actions: list[Any]) -> list[float]:
    """Score as a program in another language would, from the JSON and the recipe."""
    policy = json.loads(content)

    def mix(number: int) -> int:
        for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
            number = (number ^ (number >> shift)) * factor % 2**32
        return number ^ (number >> 16)

    def named(name: str, value: Any) -> tuple[int, float]:
        if value is True or value is False:
            return mix(crc32(f"{name}={str(value).lower()}".encode())), 1.0
        if isinstance(value, str):
            return mix(crc32(f"{name}={value}".encode())), 1.0
        return mix(crc32(name.encode())), float(value)

    def cross(one: int, two: int) -> int:
        return mix((one * 2654435761 + two) % 2**32)

    features = [named(*item) for item in sorted(context.items()) if item[1] is False or item[1] != 0]
    if policy["context_crosses"]:
        features += [(cross(g, h), x * y) for i, (g, x) in enumerate(features) for h, y in features[i + 1 :]]
    if policy["shared_weights"] or not features:
        features.append((0, 1.0))
    weights = dict(zip(policy["bandit"]["indices"], policy["bandit"]["values"], strict=True))
    scores = []
    for action in actions:
        described = [(mix(crc32(f"={action['id']}".encode())), 1.0)]
        described += [named(*item) for item in action.get("features", {}).items()]
        scores.append(
            sum(weights.get(cross(g, h) % 2 ** policy["bits"], 0.0) * x * y for g, x in features for h, y in described)
        )
    return scores


@pytest.mark.parametrize("settings", [{}, {"shared_weights": True}, {"context_crosses": True}, {"hash_bits": 8}])
@pytest.mark.parametrize("context", [{"user": "u1"}, {"user": "u1", "age": 3.5, "new": True}, {}])
def test_another_language_reaches_the_same_scores(settings: Features, context: Features) -> None:
    model = ModelConfig.model_validate({"name": "feed", "definitely_negative": ["dislike"], **settings})
    learner = Learner(model)
    actions = [Action(f"a{i}", {"length": i + 0.5, "kind": "even" if i % 2 else "odd"}) for i in range(4)]
    for number in range(200):
        chosen = number % 4
        learner.learn([interaction(number, context=context, actions=actions, chosen=chosen, signals=[f"s{chosen}"])])
    snapshot = learner.snapshot(None)
    expected = independent_scores(encode(snapshot), context, msgspec.to_builtins(actions))
    assert any(expected)
    assert Policy(snapshot).scores(context, actions) == pytest.approx(expected)
    assert learner.scores(context, actions).tolist() == pytest.approx(expected)


def test_the_worked_example() -> None:
    snapshot = PolicySnapshot(
        model="feed",
        version=1,
        parent=None,
        bits=8,
        context_crosses=False,
        shared_weights=False,
        exploration=Exploration("epsilon-greedy", 0.3),
        bandit=Weights([199], [0.75]),
        inverse_kinematics=None,
        configuration="",
    )
    policy = Policy(snapshot)
    actions = [Action("a1"), Action("a2"), Action("a3")]
    assert policy.scores({"user": "ann"}, actions) == [0.75, 0.0, 0.0]
    assert policy.probabilities({"user": "ann"}, actions) == pytest.approx([0.8, 0.1, 0.1])
    assert policy.greedy({"user": "bob"}, actions) == pytest.approx([1 / 3, 1 / 3, 1 / 3])


def test_a_snapshot_survives_the_wire() -> None:
    learner = Learner(ModelConfig(name="feed", definitely_negative=frozenset({"dislike"})))
    learner.learn(uniform_log(300))
    snapshot = learner.snapshot(250)
    assert decode(encode(snapshot)) == snapshot
    assert (snapshot.version, snapshot.parent, snapshot.model) == (300, 250, "feed")


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (lambda content: content.replace(b'"version":300', b'"version":301'), "checksum"),
        (lambda content: content[:-20], "not a policy snapshot"),
        (
            lambda content: content.replace(b'"schema_version":1', b'"schema_version":2'),
            "not a policy snapshot",
        ),
        (lambda content: b"\xff\x00", "not a policy snapshot"),
    ],
)
def test_a_damaged_snapshot_is_refused(damage: Any, complaint: str) -> None:
    learner = Learner(ModelConfig(name="feed", definitely_negative=frozenset({"dislike"})))
    learner.learn(uniform_log(300))
    with pytest.raises(PolicyError, match=complaint):
        decode(damage(encode(learner.snapshot(None))))


def test_before_the_first_snapshot_all_actions_are_equally_likely() -> None:
    assert Policy.uniform().probabilities({"user": "ann"}, ACTIONS) == [0.2] * 5
    assert Policy.uniform().version == 0


def test_occupancy_says_when_the_tables_are_too_small_for_what_came() -> None:
    model = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=8)
    learner = Learner(model)
    assert learner.snapshot(None).occupancy == 0
    learner.learn([interaction(number, context={"user": "ann"}) for number in range(50)])
    one_person = learner.snapshot(None)
    assert one_person.occupancy == pytest.approx(len(ACTIONS) / 256)
    learner.learn([interaction(number, context={"user": f"u{number}"}) for number in range(500)])
    assert learner.snapshot(None).occupancy > 0.95
