"""The audit of a chaos run: silent about a faultless log, and outspoken about each way in which one can be wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pytest

from experiments.chaos.audit import Audit, audit
from experiments.chaos.input_logs import Line, write_input
from experiments.chaos.join_definition import Entry
from groundswell import policy
from groundswell.events import Interaction, Reward, Watermark
from processors.admission.event_records import readmit_feedback, readmit_impression
from processors.join.config import JoinConfig
from processors.join.entries import BEFORE_TIME, Pending, Step
from processors.join.fold import Join
from processors.join.written_interactions import encode_interaction, floor_of
from processors.learners.learner_choice import learner_for
from processors.learners.ledger import Ledger
from processors.models.config import ModelConfig
from processors.wire.envelopes import decode_interaction
from state import learner_checkpoints
from state.learner_checkpoints import Checkpoint, Publication
from streams.settings import Settings, TopicSettings

JOIN = JoinConfig(wait=0.2, grace=0.1, backward=0.1, remember=10.0, idle=None)
MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=10)
SETTINGS = Settings(
    topics=TopicSettings(event_partitions=1, interaction_partitions=1), join=JOIN, models={"feed": MODEL}
)
TOPICS = SETTINGS.topics
IMPRESSIONS = 600
LATE_AFTER = 300
"""The number of the line of each log behind which there is a late impression, or feedback to it."""

Topics = dict[str, list[Entry]]


class Written(list[Entry]):
    """A topic that is written record by record."""

    def write(self, key: bytes | None, value: bytes) -> None:
        self.append(Entry(len(self), key, value))


def logs(folder: Path) -> Topics:
    """Return a small chaos input as one partition of each topic, with an impression that is late."""
    write_input(folder, IMPRESSIONS, ["feed"], 3, JOIN)
    topics: dict[str, Written] = {TOPICS.impressions: Written(), TOPICS.feedback: Written()}
    for topic, file in ((TOPICS.impressions, "impressions.jsonl"), (TOPICS.feedback, "feedback.jsonl")):
        for number, text in enumerate((folder / file).read_bytes().splitlines()):
            line = msgspec.json.decode(text, type=Line)
            topics[topic].write(None if line.key is None else line.key.encode(), line.value.encode())
            if number == LATE_AFTER:
                body = msgspec.json.decode(line.value)
                late = {"impression_id": "late", "feedback_id": "late", "occurred_at": body["occurred_at"] - 10_000}
                topics[topic].write(
                    b"late", msgspec.json.encode(body | {key: late[key] for key in late if key in body})
                )
    return dict(topics)


def joined(topics: Topics, chunk: int = 50) -> Topics:
    """Return interactions and side outputs as a faultless join writes them, reading the logs in turns."""
    join, interactions, strays, aside = Join(JOIN), Written(), Written(), Written()

    def settle(step: Step, next_offset: int) -> None:
        floor = floor_of(step.closed, join.floor, next_offset)
        for pending in step.closed:
            interactions.write(b"feed", encode_interaction(pending, 0, floor))
        for stray in step.strays:
            strays.write(stray.feedback.impression_id.encode(), stray.feedback.value)
        for late in step.late:
            aside.write(late.impression.id.encode(), bytes(late.impression.value))

    shown, seen = topics[TOPICS.impressions], topics[TOPICS.feedback]
    for start in range(0, len(shown), chunk):
        step = join.add_impressions(
            [readmit_impression(e.value, e.offset) for e in shown[start : start + chunk] if e.key]
        )
        settle(step, start + chunk)
        share = slice(start * len(seen) // len(shown), (start + chunk) * len(seen) // len(shown))
        settle(
            join.add_feedback([readmit_feedback(e.value, e.offset, BEFORE_TIME) for e in seen[share] if e.key]),
            start + chunk,
        )
    end = msgspec.json.decode(shown[-1].value, type=Watermark).watermark
    settle(join.advance(end, end), len(shown))
    return {TOPICS.interactions: interactions, TOPICS.late_feedback: strays, TOPICS.dead_letter: aside}


def learned(interactions: list[Entry], *, deduplicate: bool = True) -> Topics:
    """Return rewards, checkpoints and policies as a faultless learner (or one without a ledger) writes them."""
    learner, ledger = learner_for(MODEL), Ledger()
    rewards, checkpoint, policies = Written(), Written(), Written()
    fresh: list[Interaction] = []
    for entry in interactions:
        one = decode_interaction(entry.value)
        if ledger.admit(one.source) or not deduplicate:
            fresh.append(one)
    for reward in learner.learn(fresh):
        assert isinstance(reward, Reward)
        rewards.write(b"", msgspec.json.encode(reward))
    saved = Checkpoint(len(interactions), ledger.state(), {"feed": learner.state()}, {"feed": Publication(500)})
    checkpoint.write(b"learners", learner_checkpoints.encode(saved))
    policies.write(b"feed", policy.encode(learner.snapshot(500)))
    return {TOPICS.rewards: rewards, TOPICS.checkpoints: checkpoint, TOPICS.policies: policies}


@pytest.fixture(scope="module")
def faultless(tmp_path_factory: pytest.TempPathFactory) -> Topics:
    topics = logs(tmp_path_factory.mktemp("input"))
    topics |= joined(topics)
    return topics | learned(topics[TOPICS.interactions])


def verdict(topics: Topics) -> Audit:
    return audit(lambda topic: {0: topics[topic]}, SETTINGS)


def test_a_faultless_run_is_clean(faultless: Topics) -> None:
    found = verdict(faultless)
    assert found.clean, found
    assert (found.impressions, found.learned_once, found.repeated) == (IMPRESSIONS, IMPRESSIONS, 0)
    assert len(faultless[TOPICS.late_feedback]) > 5, (
        "some feedback has to come too late to see that it is accounted for"
    )


def test_interactions_written_again_are_no_fault(faultless: Topics) -> None:
    again = faultless[TOPICS.interactions][:400] + faultless[TOPICS.interactions][300:]
    found = verdict(faultless | {TOPICS.interactions: again} | learned(again))
    assert found.clean, found
    assert found.repeated == 100


@dataclass(frozen=True)
class Fault:
    """A way to spoil the topics, and the fields of the verdict that have to say so."""

    name: str
    spoil: Callable[[Topics], Topics]
    said: dict[str, int | bool]


def without(topics: Topics, topic: str, *numbers: int) -> list[Entry]:
    return [entry for number, entry in enumerate(topics[topic]) if number not in numbers]


def drop_interaction(topics: Topics) -> Topics:
    left = without(topics, TOPICS.interactions, 100)
    return {TOPICS.interactions: left} | learned(left)


def learn_again(topics: Topics) -> Topics:
    again = topics[TOPICS.interactions][:400] + topics[TOPICS.interactions][397:]
    return {TOPICS.interactions: again} | learned(again, deduplicate=False)


def skip_when_learning(topics: Topics) -> Topics:
    return learned(without(topics, TOPICS.interactions, 5, 6))


def forget_feedback(topics: Topics) -> Topics:
    bodies = [msgspec.json.decode(entry.value) for entry in topics[TOPICS.interactions]]
    number = next(number for number, body in enumerate(bodies) if body["feedback"])
    spoilt = msgspec.json.encode(bodies[number] | {"feedback": [], "signals": ["none"]})
    left = list(topics[TOPICS.interactions])
    left[number] = left[number]._replace(value=spoilt)
    return {TOPICS.interactions: left} | learned(left)


def swap_order(topics: Topics) -> Topics:
    swapped = list(topics[TOPICS.interactions])
    swapped[200], swapped[300] = swapped[300], swapped[200]
    return {TOPICS.interactions: swapped} | learned(swapped)


def stale_policy(topics: Topics) -> Topics:
    return {TOPICS.policies: learned(topics[TOPICS.interactions][:-1])[TOPICS.policies]}


def lose_late_feedback(topics: Topics) -> Topics:
    return {TOPICS.late_feedback: without(topics, TOPICS.late_feedback, 0)}


def lose_late_impression(topics: Topics) -> Topics:
    return {TOPICS.dead_letter: []}


def set_one_aside(topics: Topics) -> Topics:
    one = topics[TOPICS.impressions][7]
    return {TOPICS.dead_letter: [*topics[TOPICS.dead_letter], one]}


def learn_late_impression(topics: Topics) -> Topics:
    (late,) = topics[TOPICS.dead_letter]
    place = next(entry.offset for entry in topics[TOPICS.impressions] if entry.key == b"late")
    pending = Pending(readmit_impression(late.value, place), 0, ())
    last = Entry(len(topics[TOPICS.interactions]), b"feed", encode_interaction(pending, 0, 0))
    more = [*topics[TOPICS.interactions], last]
    return {TOPICS.interactions: more} | learned(more)


def vouch_for_too_much(topics: Topics) -> Topics:
    bodies: defaultdict[int, dict[str, dict[str, int]]] = defaultdict(dict)
    bodies[10] = msgspec.json.decode(topics[TOPICS.interactions][10].value)
    bodies[10]["source"]["floor"] += 1000
    spoilt = list(topics[TOPICS.interactions])
    spoilt[10] = spoilt[10]._replace(value=msgspec.json.encode(bodies[10]))
    return {TOPICS.interactions: spoilt}


@pytest.mark.parametrize(
    "fault",
    [
        Fault("an interaction that was never written", drop_interaction, {"lost": 1}),
        Fault("interactions learned twice", learn_again, {"learned_twice": 3, "policy_identical": False}),
        Fault("interactions passed over in learning", skip_when_learning, {"lost": 2, "policy_identical": False}),
        Fault("a spurious none", forget_feedback, {"misjoined": 1, "feedback_lost": 1}),
        Fault("a policy that lags", stale_policy, {"policy_identical": False, "lost": 0}),
        Fault("late feedback that went nowhere", lose_late_feedback, {"feedback_lost": 1}),
        Fault("a late impression that went nowhere", lose_late_impression, {"late_lost": 1}),
        Fault("a good impression that was set aside", set_one_aside, {"set_aside": 1, "lost": 0}),
        Fault("a late impression that was learned", learn_late_impression, {"unexpected": 1}),
    ],
    ids=lambda fault: fault.name,
)
def test_each_fault_is_found(faultless: Topics, fault: Fault) -> None:
    found = verdict(faultless | fault.spoil(faultless))
    assert not found.clean
    assert {name: getattr(found, name) for name in fault.said} == fault.said


def test_disorder_and_floors_have_counts_of_their_own(faultless: Topics) -> None:
    assert verdict(faultless | swap_order(faultless)).disordered > 0
    assert verdict(faultless | vouch_for_too_much(faultless)).floors_too_high > 0
