"""The newest policies on their topic, and what one of them would show to whom."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from groundswell.events import Action, FeatureValue
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import Policy, PolicySnapshot
from streams.kafka.signing import Signing
from streams.kafka.topic_inspector import TopicInspector
from streams.settings import Settings
from streams.words import counted, span

FEATURE = "a feature is NAME=VALUE, as in user=ann, hour=7 or premium=true (in double quotation marks a number is text)"

EXAMPLES = {
    "--context": '{"user": "ann", "hour": 7}',
    "--actions": '[{"id": "news"}, {"id": "sport", "features": {"length": 3}}]',
}
"""What is asked, as JSON. A shell takes it in single quotation marks."""


class AskedError(ValueError):
    """What was asked cannot be answered; the message says why."""


class Published(NamedTuple):
    """A policy and when it was published, in ms since 1970."""

    snapshot: PolicySnapshot
    at: int


def newest_policies(settings: Settings, logs: TopicInspector) -> dict[str, Published]:
    """Return the newest whole policy of each model that has one on the topic, and that is believed."""
    verifier = Signing.of(settings.signatures).verifier
    newest: dict[str, NewestSnapshot] = {}
    found: dict[str, Published] = {}
    topic = settings.topics.policies
    first, _ = logs.bounds(topic, 1)[0]
    for record in logs.read(topic, 0, first):
        if record.key is None:
            continue
        model = record.key.partition(b"\0")[0].decode(errors="replace")
        one = newest.setdefault(model, NewestSnapshot(model, verifier))
        if one.offer(record.key, record.value, record.headers) and one.snapshot is not None:
            found[model] = Published(one.snapshot, int(record.timestamp))
    return found


def chosen(policies: Mapping[str, Published], model: str | None) -> Published:
    """Return the policy of the model that was named, or of the only one. Raises `AskedError` where that is none."""
    if not policies:
        raise AskedError(
            "no policy has been published yet: the first comes when the wait of the first impressions is over, while a "
            "worker runs (`groundswell doctor` says what is amiss)"
        )
    there = ", ".join(sorted(policies))
    if model is None:
        if len(policies) > 1:
            raise AskedError(f"there are policies of {there}: name one with --model")
        return next(iter(policies.values()))
    if model not in policies:
        raise AskedError(f"no policy of {model!r} has been published; name one of those that there are: {there}")
    return policies[model]


def in_words(published: Published, now: int) -> list[str]:
    """Return what a policy is, for a terminal; `now` in ms since 1970."""
    one = published.snapshot
    weights = sum(value != 0 for value in one.bandit.values)
    return [
        f"{heading(published, now)}",
        f"  learned from {counted(one.version, 'interaction')}",
        f"  explores by {one.exploration.kind}, parameter {one.exploration.parameter:.6g}",
        f"  {counted(weights, 'weight')} over {1 << one.bits:,} places"
        + (", pairs of context features" if one.context_crosses else "")
        + (", weights shared by all contexts" if one.shared_weights else ""),
        f"  of the configuration {one.configuration or 'unknown'}",
    ]


def heading(published: Published, now: int) -> str:
    """Return model, version and age."""
    one = published.snapshot
    return f"{one.model}, version {one.version:,}, published {span(max(0, now - published.at))} ago"


class Answer(NamedTuple):
    """What a policy would do with one action."""

    action: str
    probability: float
    score: float


def answers(snapshot: PolicySnapshot, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[Answer]:
    """Return with which probability each action would be shown, and its score, the reward that is expected."""
    policy = Policy(snapshot)
    return [
        Answer(action.id, probability, score)
        for action, probability, score in zip(
            actions, policy.probabilities(context, actions), policy.scores(context, actions), strict=True
        )
    ]


def context_of(features: Sequence[str]) -> dict[str, FeatureValue]:
    """Return a context from features as `name=value,…`, or from one JSON object. Raises `AskedError`."""
    if len(features) == 1 and features[0].lstrip().startswith("{"):
        whole: dict[str, FeatureValue] = _decoded(features[0], dict[str, FeatureValue], "--context")
        return whole
    context: dict[str, FeatureValue] = {}
    # A comma divides two features only where another `name=` follows: texts may hold commas.
    for feature in (one for text in features for one in re.split(r",(?=[^,=]+=)", text)):
        name, is_feature, value = feature.partition("=")
        if not is_feature or not name:
            raise AskedError(f"--context {feature}: {FEATURE}")
        context[name] = _value(value)
    return context


def actions_of(text: str) -> list[Action]:
    """Return actions from ids that commas divide, or from a JSON list as in impressions. Raises `AskedError`."""
    if text.lstrip().startswith("["):
        actions: list[Action] = _decoded(text, list[Action], "--actions")
    else:
        actions = [Action(name.strip()) for name in text.split(",") if name.strip()]
    ids = [action.id for action in actions]
    if not ids or len(set(ids)) < len(ids):
        example = "as in --actions news,sport,music"
        raise AskedError(f"--actions {text}: must be the ids of different actions, divided by commas, {example}")
    return actions


def _value(text: str) -> FeatureValue:
    if text in {"true", "false"}:
        return text == "true"
    if re.fullmatch(r'".*"', text):
        return text[1:-1]
    if re.fullmatch(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?", text):
        return float(text)
    return text


def _decoded(text: str, kind: Any, option: str) -> Any:
    try:
        return msgspec.json.decode(text, type=kind)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise AskedError(f"{option} {text}: {error}; for example {option} '{EXAMPLES[option]}'") from error
