# mypy: ignore-errors
"""Writes the files beside this one, with the code of commit f107b08 and no other.

This is a recipe, to be read rather than run: later releases do not write this state, they have to read it. Its imports
are those of f107b08 and stay so, wherever modules have gone since, and it is not checked against later code. It gives
the same bytes each time. README.md has the command.
"""

from __future__ import annotations

import asyncio
import io
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import msgspec
from faust.serializers.codecs import dumps
from rich.console import Console

from processors import chunks
from processors.events import Action, Interaction
from processors.learners import restored_learner
from processors.policy import Policy
from processors.policy import decode as decode_policy
from processors.shard_learner import ShardLearner
from state import checkpoints
from streams.joining import JoinWiring, PartitionJoin
from streams.learning import CHECKPOINT_KEY, LearningWiring, PartitionLearner
from streams.learning_metrics import LearningMetrics
from streams.mapping_file import load_mapping
from streams.metrics import Metrics
from streams.outputs import contract_partition
from streams.replay import replay
from streams.settings import Settings
from tests.unit.memory_segments import Changelog, MemorySegments
from tests.unit.stand_ins import Log, RefusedError, always, batch, record

HERE = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
T0 = 1_700_000_000_000
encode = msgspec.json.encode


# -- files ----------------------------------------------------------------------------------------------------


def write(name: str, content: bytes) -> None:
    path = HERE / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_binary(name: str, records: Iterable[tuple[bytes, bytes]]) -> None:
    """Write records as one msgpack list of (key, value), both as the bytes that lie on the topic."""
    write(name, msgspec.msgpack.encode([list(one) for one in records]))


def write_lines(name: str, lines: Iterable[dict[str, Any]]) -> None:
    """Write one JSON object a line; a value that is bytes is JSON, and goes in as it is."""
    texts = [encode({k: msgspec.Raw(v) if isinstance(v, bytes) else v for k, v in one.items()}) for one in lines]
    write(name, b"".join(text + b"\n" for text in texts))


def write_json(name: str, content: Any) -> None:
    write(name, msgspec.json.format(encode(content, order="deterministic"), indent=1) + b"\n")


# -- the join -------------------------------------------------------------------------------------------------

JOIN = {
    "wait": 10.0,
    "grace": 2.0,
    "backward": 3.0,
    "activation": 8.0,
    "remember": 20.0,
    "max_pending": 8,
    "max_early": 2,
}
PARTITION = contract_partition(b"nobody", 4)


def impression(name: str, at: float, **changes: Any) -> bytes:
    return encode(
        {
            "schema_version": 1,
            "impression_id": name,
            "occurred_at": T0 + round(at * 1000),
            "model": "feed",
            "context": {"user": "ann"},
            "actions": [{"id": "a"}, {"id": "b"}, {"id": "c"}],
            "chosen": 1,
            "probabilities": [0.25, 0.5, 0.25],
            **changes,
        }
    )


def feedback(name: str, about: str, signal: str, at: float, **changes: Any) -> bytes:
    return encode(
        {
            "schema_version": 1,
            "impression_id": about,
            "feedback_id": name,
            "occurred_at": T0 + round(at * 1000),
            "signal": signal,
            **changes,
        }
    )


RICH = {
    "context": {"user": "Zoë", "age": 41.5, "member": True},
    "actions": [{"id": "a", "features": {"price": 3, "kind": "new"}}, {"id": "b"}, {"id": "c"}],
    "request": {"trace": "x-1"},  # a field that the contract does not know
}
LIGHT = {"probabilities": None, "propensity": 0.25, "weight": 2.5, "policy_version": 7}
IMPRESSIONS = [
    impression("closed", 0, **RICH),
    impression("silent", 1),
    impression("evicted", 13),
    impression("several", 15),
    impression("shown-before", 15.5, deferred=True),
    impression("shown-after", 16, deferred=True),
    impression("never-shown", 16, deferred=True),
    impression("weighted", 17, **LIGHT),
    impression("unanswered", 18),
    impression("ahead", 19),
    impression("moved", 14),
    # from here on after the state was kept
    impression("expected", 21),
    impression("unmet", 21),
    impression("closed", 21, **RICH),
    impression("evicted", 22),
]
FEEDBACK = [
    feedback("f1", "closed", "click", 1, value=0.5),
    feedback("v1", "evicted", "click", 15),
    feedback("s1", "several", "click", 16),
    feedback("s2", "several", "share", 16.5),
    feedback("e1", "shown-before", "like", 16),
    feedback("a1", "shown-before", "shown", 18),
    feedback("w1", "weighted", "dislike", 18.2),
    feedback("s3", "several", "click", 18.3),
    feedback("g1", "ahead", "click", 18.5),
    feedback("u1", "unmet", "click", 18.8),
    feedback("h1", "shown-after", "like", 20),
    feedback("x1", "expected", "click", 20),
    feedback("o1", "nobody", "click", 20),
    # from here on after the state was kept
    feedback("l1", "closed", "click", 21),
    feedback("l2", "evicted", "share", 22),
    feedback("a2", "shown-after", "shown", 22),
    feedback("s2", "several", "share", 16.5),
    feedback("s4", "several", "share", 23),
    feedback("m1", "moved", "click", 26),
    feedback("l3", "several", "click", 27),
]


class Worker:
    """One worker's join over a changelog that outlives it."""

    def __init__(self, changelog: Changelog, log: Log, **join: Any) -> None:
        settings = Settings.model_validate(
            {"join": JOIN | join, "models": {"feed": {"definitely_negative": ["dislike"]}}}
        )
        self.log, self.table = log, MemorySegments(changelog)
        self.join = PartitionJoin(PARTITION, JoinWiring(settings, self.table, log.outputs, Metrics()))
        self.join.restore()

    def shows(self, *offsets: int) -> None:
        self._take("impressions", IMPRESSIONS, offsets)

    def answers(self, *offsets: int) -> None:
        self._take("feedback", FEEDBACK, offsets)

    def is_killed(self, step: Callable[[], None]) -> None:
        """Take a step whose segments arrive, but not its outputs, and so not its mark."""
        self.log.refusing = True
        try:
            step()
        except RefusedError:
            self.table.crash(arriving=100)
        self.log.refusing = False

    def ends(self) -> None:
        end = encode({"schema_version": 1, "watermark": T0 + 100_000})
        self._step("impressions", [record("impressions", len(IMPRESSIONS), None, end, PARTITION)])
        self._step("feedback", [record("feedback", len(FEEDBACK), None, end, PARTITION)])

    def _take(self, topic: str, values: list[bytes], offsets: tuple[int, ...]) -> None:
        keys = {at: msgspec.json.decode(values[at])["impression_id"].encode() for at in offsets}
        self._step(topic, [record(topic, at, keys[at], values[at], PARTITION) for at in offsets])

    def _step(self, topic: str, records: list[Any]) -> None:
        cursor, take = {
            "impressions": (self.join.impressions, self.join.take_impressions),
            "feedback": (self.join.feedback, self.join.take_feedback),
        }[topic]

        async def step() -> None:
            await take(cursor.contiguous(batch(records)))

        asyncio.run(step())


def make_join() -> None:
    changelog, log = Changelog(), Log()
    tokens = iter(["0a0a0a0a", "0b0b0b0b", "0c0c0c0c", "0d0d0d0d"])
    with patch("state.journal.secrets", SimpleNamespace(token_hex=lambda _: next(tokens))):
        first = Worker(changelog, log)
        first.shows(0, 1)
        first.answers(0)
        first.shows(2, 3)
        first.is_killed(lambda: first.answers(1, 2, 3, 4))
        second = Worker(changelog, log, max_pending=7)
        second.answers(1, 2, 3, 4)
        second.shows(4, 5, 6, 7, 8)
        second.answers(5, 6, 7, 8)
        second.is_killed(lambda: second.shows(9, 10))  # it evicts two, and this must not count
        third = Worker(changelog, log)
        third.shows(9, 10)
        third.answers(9, 10, 11, 12)
        write_binary("pending.msgpack", [(dumps("json", key), value) for key, value in changelog.items()])
        fourth = Worker(changelog, log, max_pending=100)  # or one more would be evicted
        fourth.shows(11, 12, 13, 14)
        fourth.answers(13, 14, 15, 16, 17, 18, 19)
        fourth.ends()
    lines = [{"key": one.key.decode(), "value": one.value} for one in log.of("interactions")]
    write_lines("interactions.jsonl", lines)


# -- the learners ---------------------------------------------------------------------------------------------

ACTIONS = ["a0", "a1", "a2", "a3"]
CLASSIFIER = {
    "class": "river.linear_model.LogisticRegression",
    "parameters": {"optimizer": {"class": "river.optim.AdaGrad", "parameters": {"lr": 1.0}}},
}
REGRESSOR = {
    "class": "river.linear_model.LinearRegression",
    "parameters": {"optimizer": {"class": "river.optim.AdaGrad"}, "intercept_lr": 0.0},
}
EMBEDDING = {"user_feature": "user", "users": 6, "signals": 4}
NEGATIVE = {"definitely_negative": ["dislike"], "hash_bits": 8}
MODELS: dict[str, dict[str, Any]] = {
    "one-versus-rest": NEGATIVE,
    "softmax": {
        **NEGATIVE,
        "definitely_positive": ["buy"],
        "several_signals": "set",
        "context_crosses": True,
        "shared_weights": True,
        "inverse_kinematics": {"form": "softmax", "start": "uniform"},
        "reward": {"extreme": "graded"},
        "exploration": {"kind": "squarecb", "gamma": 10.0},
    },
    "spectral": {
        "hash_bits": 8,
        "inverse_kinematics": {"form": "spectral", **EMBEDDING},
        "reward": {"rule": "two-state", "extreme": "meaning"},
    },
    "co-occurrence": {
        "hash_bits": 8,
        "inverse_kinematics": {"form": "co-occurrence", **EMBEDDING},
        "reward": {"rule": "two-state"},
    },
    "stock": {**NEGATIVE, "inverse_kinematics": {"estimator": CLASSIFIER}, "bandit": {"estimator": REGRESSOR}},
    "shard": {**NEGATIVE, "sharded_by": "user"},
}
"""The name of each model is that of its files."""
REFRESHED = 2_500
COUNT = {"spectral": 2 * REFRESHED - 6, "co-occurrence": 2 * REFRESHED - 6}
"""So that the second refresh of the embedding comes while what is next is learned."""
NEXT = 12
EVERY = 60


def interaction(
    number: int, model: str, context: dict[str, Any], chosen: int, signals: list[str], **more: Any
) -> bytes:
    actions = more.pop("actions", ACTIONS)
    source = {"partition": number % 2, "offset": number, "floor": max(0, number - 5)}
    shown = {
        "schema_version": 1,
        "impression_id": f"i{number}",
        "occurred_at": T0 + number,
        "model": model,
        "context": context,
        "actions": [{"id": one} for one in actions],
        "chosen": chosen,
        "propensity": 1 / len(actions),
        **more,
    }
    answers = [
        {
            "schema_version": 1,
            "impression_id": f"i{number}",
            "feedback_id": f"i{number}/{place}",
            "occurred_at": T0 + number + place,
            "signal": signal,
        }
        for place, signal in enumerate(signals)
        if signal != "none"
    ]
    distinct = list(dict.fromkeys(signals))
    return encode(
        {"schema_version": 1, "source": source, "impression": shown, "feedback": answers, "signals": distinct}
    )


def opinions(model: str, count: int) -> list[bytes]:
    """Return play of three people who enjoy one action and hate another, with all that may be different."""
    random = Random(7)
    result = []
    for number in range(count):
        user, chosen = random.randrange(3), random.randrange(len(ACTIONS))
        luck = random.random()
        enjoyed, hated = chosen == user, chosen == user + 1
        signals = ["none"]
        if enjoyed and luck < 0.8:
            signals = ["click", "share"] if luck < 0.2 else ["click"]
        elif hated and luck < 0.8:
            signals = ["dislike"] if luck < 0.4 else ["skip"]
        elif luck < 0.1:
            signals = ["click"]
        elif luck < 0.15:
            signals = ["buy"]
        more: dict[str, Any] = {"weight": 2.0} if number % 11 == 0 else {}
        if number % 13 == 0:
            more["policy_version"] = number // 2
        if number % 17 == 0:
            more, chosen = {"actions": ACTIONS[:2]}, chosen % 2  # too few to be learned from
        hour = random.randrange(4)
        result.append(interaction(number, model, {"user": f"u{user}", "hour": hour}, chosen, signals, **more))
    return result


def words(model: str, count: int) -> list[bytes]:
    """Return play of three people, of whom every second means the opposite, among some who come only once."""
    random = Random(8)
    result = []
    for number in range(count):
        user, task, chosen = random.randrange(3), random.randrange(8), random.randrange(len(ACTIONS))
        good = (chosen == task % len(ACTIONS)) != (user % 2 == 0)
        word = 2 * random.randrange(2) + good
        name = f"once-{number}" if random.random() < 0.01 else f"u{user}"
        result.append(interaction(number, model, {"user": name, "task": f"t{task}"}, chosen, [f"word {word}"]))
    return result


ASKED = [{"user": f"u{user}", "hour": 2, "task": f"t{user}"} for user in range(3)]


def as_learned(learner: Any) -> dict[str, Any]:
    """Return what a user would see of a learner."""
    actions = [Action(one) for one in ACTIONS]
    return {
        "interactions_included": learner.interactions_included,
        "version": learner.version,
        "statistics": learner.statistics,
        "forgotten": dict(learner.forgotten),
        "scores": [learner.scores(context, actions).tolist() for context in ASKED],
        "probabilities": [learner.probabilities(context, actions) for context in ASKED],
    }


def of_others(settings: Settings, name: str) -> list[Any]:
    """Return what another shard contributed."""
    other = ShardLearner(settings.models[name])
    other.learn([msgspec.json.decode(one, type=Interaction) for one in opinions(name, 400)[250:]])
    return [other.contribution()]


def make_learner(name: str) -> list[tuple[bytes, bytes]]:
    """Write a learner's checkpoint and what is known of it; return what it published, the newest of each key."""
    learning = {"publish_interactions": EVERY}
    settings = Settings.model_validate({"models": {name: MODELS[name]}, "learning": learning})
    model = settings.models[name]
    count = COUNT.get(name, 200)
    log = (words if model.inverse_kinematics.embeds else opinions)(name, count + NEXT)
    partition = contract_partition(name.encode(), settings.topics.interaction_partitions)
    records = [record("interactions", at, name.encode(), value, partition) for at, value in enumerate(log)]
    written = Log()

    async def learn() -> None:
        wiring = LearningWiring(settings, written.outputs, LearningMetrics(Metrics()), always)
        learner = PartitionLearner(partition, wiring, {}, {})
        for begin, end in ((0, count // 2), (count // 2, count)):
            await learner.take(learner.interactions.contiguous(batch(records[begin:end])))
            if name == "shard":
                learner.take_in(name, of_others(settings, name))
            await learner.write_checkpoint()

    # Of the chunks of what is large here only the size is not as it would be.
    with patch.object(chunks, "CHUNK_BYTES", 2_000 if name in {"stock", "softmax"} else chunks.CHUNK_BYTES):
        asyncio.run(learn())
    newest = written.newest("checkpoints")
    write_binary(f"learners/{name}.msgpack", newest.items())
    checkpoint = checkpoints.decode(chunks.assemble(CHECKPOINT_KEY, newest)[0])
    learner = restored_learner(model, checkpoint.models[name])
    then = as_learned(learner)
    rewards = learner.learn([msgspec.json.decode(one, type=Interaction) for one in log[count:]])
    facts = {
        "model": MODELS[name],
        "partition": partition,
        "offset": checkpoint.offset,
        "publication": checkpoint.publications[name],
        "contexts": ASKED,
        "actions": ACTIONS,
        "then": then,
        "rewards": rewards,
        "later": as_learned(learner),
    }
    if name == "shard":
        alone = restored_learner(model, checkpoint.models[name])
        alone.take_in([])
        facts["alone"] = as_learned(alone)
    write_json(f"learners/{name}.json", facts)
    write_lines(
        f"learners/{name}.next.jsonl",
        [{"key": name, "value": value} for value in [log[count - 50], log[count - 1], *log[count:]]],
    )
    if name == "one-versus-rest":
        lines = [{"key": one.key.decode(), "value": one.value} for one in written.of("rewards")[-20:]]
        write_lines("rewards.jsonl", lines)
    return list(written.newest("policies").items())


def make_learners() -> None:
    published = [one for name in MODELS for one in make_learner(name)]
    in_chunks = [one for one in published if b"softmax" in one[0]]
    write_binary("policies-in-chunks.msgpack", in_chunks)
    plain = [one for one in published if one not in in_chunks]
    write_lines("policies.jsonl", [{"key": key.decode(), "value": value} for key, value in plain])
    facts = {}
    for name in MODELS:
        snapshot = decode_policy(chunks.assemble(name.encode(), dict(published))[0])
        policy, actions = Policy(snapshot), [Action(one) for one in ACTIONS]
        facts[name] = {
            "version": snapshot.version,
            "parent": snapshot.parent,
            "ranked": [ranked(policy.scores(context, actions)) for context in ASKED],
            "scores": [policy.scores(context, actions) for context in ASKED],
            "probabilities": [policy.probabilities(context, actions) for context in ASKED],
        }
    write_json("policies.json", {"contexts": ASKED, "actions": ACTIONS, "policies": facts})


def ranked(scores: list[float]) -> list[str]:
    return [ACTIONS[place] for place in sorted(range(len(scores)), key=lambda place: -scores[place])]


# -- replay ---------------------------------------------------------------------------------------------------

SHOP_LOG = """\
session,position,at,item,shown_with,age,member,city,bought,opened_ms,rated_at,stars,version,rate
s1,1,1700000000,007,0.5,41.5,yes,Zürich,1,1500,1700000009,4.5,12,1
s1,2,1700000001,8,0.25,41.5,yes,Zürich,0,,,,12,1
s2,1,1700000003,9,0.25,,no,,0,20000,1700000010,1,13,2.5
s2,1,1700000003,9,0.25,,no,,0,20000,1700000010,1,13,2.5
s3,1,1700000002,007,0.5,30,no,Bern,1,,,,,1
s4,1,1700000004,8,1.5,30,no,Bern,1,,,,,1
"""
SHOP_ITEMS = """\
id,price,kind
007,9.5,book
8,20,toy
9,,toy
"""
SHOP_MAPPING = """\
model = "shop"
impression_id = ["session", "position"]
deduplicate = ["session", "position"]
propensity = "shown_with"
policy_version = "version"
weight = "rate"
bad_rows = "skip"

[occurred_at]
column = "at"
unit = "s"

[action]
column = "item"
set = { table = "items" }

[action.features]
price = "items.price"
kind = { column = "items.kind", type = "category" }

[tables.items]
path = "shop-items.csv"
key = "id"
on = "item"

[context]
age = { column = "age", type = "number" }
member = { column = "member", type = "boolean" }
city = "city"

[[feedback]]
signal = "buy"
column = "bought"
delay_ms = 5_000

[[feedback]]
signal = "open"
column = "opened_ms"
present = true
delay = { column = "opened_ms", unit = "ms", at_most_ms = 10_000 }

[[feedback]]
signal = "rate"
column = "stars"
above = 2
at = { column = "rated_at", unit = "s" }
value = "stars"
"""
NEWS_LOG = """\
{"id":"n1","time":"2023-11-14T22:13:20Z","pick":"x","offered":["x","y","z"],"odds":[0.5,0.3,0.2],"user":{"id":"u1"},"answer":"like"}
{"id":"n2","time":"2023-11-14T22:13:21Z","pick":"z","offered":["y","z","w"],"odds":[0.1,0.8,0.1],"user":{"id":"u2"},"answer":null}
{"id":"n3","time":"2023-11-14T22:13:22Z","pick":"y","offered":["x","y","z"],"odds":[0.2,0.6,0.2],"user":{"id":"u1"},"answer":"hide"}
"""
NEWS_MAPPING = """\
model = "news"
impression_id = "id"
propensity = { probabilities = "odds" }
sorted_by_time = true

[occurred_at]
column = "time"
unit = "iso"

[action]
column = "pick"
set = { column = "offered" }

[context]
user = "user.id"

[[feedback]]
signal_from = "answer"
delay_ms = 2_000
"""


class Recorder:
    """A producer that remembers what it was given."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.lines: list[dict[str, Any]] = []

    def __enter__(self) -> Recorder:
        return self

    def __exit__(self, *_: Any) -> None:
        pass

    def partitions(self, _: str) -> list[int]:
        return [0, 1]

    def send(self, topic: str, value: bytes, *, key: bytes | None = None, partition: int | None = None) -> None:
        place = {} if partition is None else {"partition": partition}
        self.lines.append({"topic": topic, "key": key and key.decode(), **place, "value": value})

    def wait_for_acknowledgements(self) -> None:
        pass


def make_replayed() -> None:
    files = {
        "shop.csv": SHOP_LOG,
        "shop-items.csv": SHOP_ITEMS,
        "shop.toml": SHOP_MAPPING,
        "news.jsonl": NEWS_LOG,
        "news.toml": NEWS_MAPPING,
    }
    for name, text in files.items():
        write(f"replay/{name}", text.encode())
    for name in ("shop.csv", "news.jsonl"):
        path = HERE / "replay" / name
        producer = Recorder()
        with patch("streams.replay.AcknowledgedProducer", lambda *_, _one=producer, **__: _one):
            replay(
                path,
                load_mapping(path.with_suffix(".toml")),
                bootstrap_servers="",
                impressions_topic="impressions",
                feedback_topic="feedback",
                speed=None,
                limit=None,
                console=Console(file=io.StringIO()),
            )
        write_lines(f"replay/{path.stem}.replayed.jsonl", producer.lines)


if __name__ == "__main__":
    with patch("streams.learning.time", SimpleNamespace(time=lambda: T0 / 1000, monotonic=lambda: 0.0)):
        make_join()
        make_learners()
        make_replayed()
