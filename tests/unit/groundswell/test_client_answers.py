"""What an app hands over wrongly is told where it does, in words with what to do, and the same on every day."""

from __future__ import annotations

import asyncio
import enum
import math
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest
from kafka import KafkaProducer

from experiments.servers.embedded_broker import free_port
from groundswell import Action, Policy
from groundswell.client import EventLog, EventLogError, Policies
from groundswell.client.arguments import checked
from groundswell.client.decisions import Decision, decide
from tests.unit.groundswell.test_newest_snapshot import snapshot

ACTIONS = [Action("a"), Action("b")]


class Device(enum.StrEnum):
    PHONE = "phone"


def made(context: Any, actions: Any, policy: Policy) -> Decision:
    return decide("feed", policy, "policy", context, actions)


@pytest.mark.parametrize("policy", [Policy.uniform(), Policy(snapshot(7))], ids=["none yet", "a policy"])
@pytest.mark.parametrize(
    ("context", "actions", "said"),
    [
        (None, ACTIONS, "context is None: give a dict of names and values"),
        ("ann", ACTIONS, "context is 'ann': give a dict"),
        (["user"], ACTIONS, r"context is \['user'\]: give a dict"),
        ({7: "x"}, ACTIONS, "context: the name 7 must be text"),
        ({"": "x"}, ACTIONS, "the name '' must be text, and not empty"),
        ({"user": None}, ACTIONS, "'user' is None, .*: leave it out where it is not known"),
        ({"user": [1, 2]}, ACTIONS, r"context: 'user' is \[1, 2\], not text, number, True or False"),
        ({"user": {"id": 1}}, ACTIONS, "not text, number, True or False"),
        ({"user": b"ann"}, ACTIONS, "not text, number, True or False: it is bytes"),
        ({"age": np.float32(3)}, ACTIONS, "it is float32, make it one"),
        ({"age": np.float64(3)}, ACTIONS, "it is float64, make it one"),
        ({"device": Device.PHONE}, ACTIONS, "it is Device, make it one"),
        ({"age": math.nan}, ACTIONS, "'age' is nan: leave it out where it is not known"),
        ({"age": -math.inf}, ACTIONS, "'age' is -inf: leave it out"),
        ({}, None, "actions is None: give a list"),
        ({}, "ab", "actions is 'ab': give a list"),
        ({}, {"a", "b"}, "give a list"),
        ({}, ["a", "b"], r"actions\[0\] is 'a': give an Action"),
        ({}, [Action("a"), {"id": "b"}], r"actions\[1\] is \{'id': 'b'\}: give an Action"),
        ({}, [Action(1), Action("b")], r"the id of actions\[0\] is 1: it is text"),  # type: ignore[arg-type]
        ({}, [Action("")], "it is text, and not empty"),
        ({}, [Action("a", ["x"])], r"features of the action 'a' is \['x'\]: give a dict"),  # type: ignore[arg-type]
        ({}, [Action("a", {"price": None})], "features of the action 'a': 'price' is None"),  # type: ignore[dict-item]
    ],
)
def test_what_no_impression_could_hold_is_told_by_the_decision(
    policy: Policy, context: Any, actions: Any, said: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=said):
        made(context, actions, policy)


@pytest.fixture(scope="module")
def log() -> Iterator[EventLog]:
    made = EventLog(f"127.0.0.1:{free_port()}")
    yield made
    made.close(seconds=0)


SHOWN = decide("feed", Policy.uniform(), "uniform", {"user": "ann"}, ACTIONS, "i")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"value": math.nan}, "value is nan: leave it out where there is none"),
        ({"value": -math.inf}, "value is -inf: leave it out"),
        ({"signal": "none"}, "says that nothing came back: send nothing then"),
        ({"impression_id": SHOWN}, "impression_id is Decision: give its impression_id"),
        ({"impression_id": 7}, "impression_id is 7: give the text"),
        ({"impression_id": None}, "impression_id is None: give the text"),
        ({"occurred_at": 1_796_021_159}, "looks like seconds: give milliseconds, 1796021159000"),
        ({"occurred_at": 1_796_021_159_000_000}, "looks like microseconds or nanoseconds: give milliseconds"),
        ({"occurred_at": time.time()}, r"as a whole number, such as round\(1000 \* time\.time\(\)\)"),
        ({"occurred_at": datetime.now(UTC)}, r"round\(1000 \* at\.timestamp\(\)\)"),
    ],
)
def test_feedback_that_would_be_lost_or_read_as_something_else_is_told(
    log: EventLog, arguments: dict[str, Any], said: str
) -> None:
    failed = log.failed
    with pytest.raises(EventLogError, match=said):
        log.feedback(**{"impression_id": "i", "signal": "click", **arguments}).result(0)
    assert log.failed == failed + 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"signal": None}, "signal is None: give the name of what came back, such as 'click'$"),
        ({"signal": ""}, "signal is '': give the name"),
        ({"signal": b"click"}, "signal is b'click': give the name"),
        ({"signal": True}, "signal is True: give the name .*; a number that came with it is its `value`"),
        ({"signal": 4.5}, r"signal is 4\.5: give the name .*; a number that came with it is its `value`"),
        ({"value": True}, "value is True: give a number, or leave it out where there is none"),
        ({"value": "5"}, "value is '5': give a number, or leave it out"),
        ({"feedback_id": 7}, "the feedback 'i' cannot be taken: Expected `str`"),
    ],
)
def test_feedback_that_is_no_signal_with_a_number_is_told_with_what_to_give(
    log: EventLog, arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(EventLogError, match=said):
        log.feedback(**{"impression_id": "i", "signal": "click", **arguments}).result(0)


def test_what_becomes_of_a_message_can_be_awaited(log: EventLog) -> None:
    async def awaited() -> None:
        await log.feedback("i", "none")

    with pytest.raises(EventLogError, match="cannot be taken"):
        asyncio.run(awaited())


@pytest.mark.parametrize(
    ("changed", "arguments", "said"),
    [
        ({}, {"weight": math.inf}, "the impression cannot be taken: weight is inf: leave it out where there is none"),
        ({}, {"weight": None}, "weight is None: give a number, or leave it out"),
        ({"impression_id": "i" * 257}, {}, "the impression 'i+' cannot be taken: Expected `str` of length <= 256"),
        ({}, {"occurred_at": 1_796_021_159}, "looks like seconds"),
        ({"probabilities": [0.0, 1.0], "index": 0}, {}, "propensity of the chosen action is 0.0"),
        ({"probabilities": [1.0]}, {}, "1 probabilities for 2 actions; log one for each"),
    ],
)
def test_an_impression_that_would_be_set_aside_is_told(
    log: EventLog, changed: dict[str, Any], arguments: dict[str, Any], said: str
) -> None:
    with pytest.raises(EventLogError, match=said):
        log.shown(msgspec.structs.replace(SHOWN, **changed), **arguments).result(0)


@pytest.mark.parametrize("servers", [None, 9092, "", [], "localhost:abc", ["localhost:9092", 7], "local host:9092"])
def test_addresses_that_are_none_are_told_at_once(servers: Any) -> None:
    for client in (EventLog, lambda given: Policies(given, "feed")):
        with pytest.raises(ValueError, match="must be host:port, such as"):
            client(servers)


@pytest.mark.parametrize("servers", ["a", "a:1,b:2", ["a:1", "b:2"], "[::1]:9092", "PLAINTEXT://a:9092"])
def test_addresses_in_every_form_are_taken(servers: Any) -> None:
    assert checked(KafkaProducer, {"bootstrap_servers": servers}) == {"bootstrap_servers": servers}


@pytest.mark.parametrize("topic", [None, "", "of feed", "a/b", "..", 7, "x" * 250])
def test_names_that_no_topic_can_have_are_told_at_once(topic: Any) -> None:
    with pytest.raises(ValueError, match=r"impressions is .*: give the name of a topic"):
        EventLog("localhost:9092", impressions=topic)
    with pytest.raises(ValueError, match=r"feedback is .*: give the name of a topic"):
        EventLog("localhost:9092", feedback=topic)
    with pytest.raises(ValueError, match=r"topic is .*: give the name of a topic"):
        Policies("localhost:9092", "feed", topic=topic)
    with pytest.raises(ValueError, match=r"controls is .*: give the name of a topic"):
        Policies("localhost:9092", "feed", controls=topic)


@pytest.mark.parametrize("waiting", [None, 0, -1, "5", 1.5])
def test_a_bound_that_is_none_is_told_at_once(waiting: Any) -> None:
    with pytest.raises(ValueError, match=r"waiting is .*: give how many messages to hold at most"):
        EventLog("localhost:9092", waiting=waiting)


@pytest.mark.parametrize("decision", [None, {"impression_id": "i"}, "i"])
def test_what_is_no_decision_is_told_by_the_call(log: EventLog, decision: Any) -> None:
    with pytest.raises(TypeError, match=r"give what `Policies\.decide` has returned"):
        log.shown(decision)


@pytest.mark.parametrize("model", [None, "", 7])
def test_a_model_without_a_name_is_told_at_once(model: Any) -> None:
    with pytest.raises(ValueError, match="give the name of the model"):
        Policies("localhost:9092", model)
