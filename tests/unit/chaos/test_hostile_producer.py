"""What the hostile producer of chaos writes: by seed, of each family, and refused where it says so."""

from __future__ import annotations

from collections import Counter
from itertools import count, islice
from pathlib import Path

import msgspec
import numpy as np
import pytest

from experiments.chaos.hostile_producer import LONGEST_STRETCH, MOST_AHEAD_MS, SPOILT, Hostile, HostileApp
from experiments.chaos.input_logs import Stream
from experiments.chaos.join_definition import HOSTILE, Entry, read_definition
from experiments.chaos.run import LIVE_JOIN, chaos_settings
from experiments.people.hostile import FAMILIES
from experiments.servers.embedded_broker import EmbeddedBroker
from processors.admission.event_records import Admission, Refusal
from processors.join.config import JoinConfig
from tests.unit.stand_ins import record

NOW = 1_800_000_000_000
MODELS = ("feed", "news")
OTHERS = ("honest-1", "honest-2")
OF_LOGS = [*HostileApp(0, MODELS, OTHERS, lambda: NOW).of_logs]


def producer(seed: int = 0) -> HostileApp:
    ticks = count(NOW)
    return HostileApp(seed, MODELS, OTHERS, lambda: next(ticks))


def bodies(family: str, stream: Stream, seed: int = 0) -> list[dict[str, object]]:
    records = producer(seed).stretch(family)
    return [msgspec.json.decode(one.value or b"") for one in records if one.stream is stream]


def is_let_in(one: Hostile) -> bool:
    settings = chaos_settings("hostile", EmbeddedBroker(Path()), 2, LIVE_JOIN)
    admission = Admission(settings.models, settings.max_ahead_ms)
    stamped = record(one.stream, 0, one.key, one.value)
    stamped.timestamp = NOW
    (found,) = (admission.impressions if one.stream is Stream.IMPRESSIONS else admission.feedback)([stamped])
    return not isinstance(found, Refusal)


def test_the_same_seed_writes_the_same_and_another_seed_others() -> None:
    def first(seed: int) -> list[Hostile]:
        return list(islice(producer(seed).records(), 100))

    assert first(1) == first(1)
    assert first(1) != first(2)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("family", [*FAMILIES, *OF_LOGS])
def test_a_record_is_let_in_unless_it_says_that_it_is_refused(family: str, seed: int) -> None:
    records = list(producer(seed).stretch(family))
    assert records
    assert [is_let_in(one) for one in records] == [not one.refused for one in records]
    if family != "giant":
        assert all(one.refused is (family in {"refused", "no model"}) for one in records)


@pytest.mark.parametrize("stream", list(Stream))
@pytest.mark.parametrize("how", [*SPOILT])
def test_each_way_to_spoil_a_message_is_refused_on_either_topic(how: str, stream: Stream) -> None:
    good = next(one for one in producer().stretch("propensities") if one.stream is stream)
    key, value = SPOILT[how](good.key or b"", msgspec.json.decode(good.value or b""))
    assert is_let_in(good)
    assert not is_let_in(Hostile(stream, key, value, refused=True))


def test_impressions_have_ids_of_their_own_and_say_what_the_families_say() -> None:
    said = bodies("names", Stream.IMPRESSIONS)
    assert all(str(one["impression_id"]).startswith(HOSTILE) for one in said)
    drawn = FAMILIES["names"](np.random.default_rng([0, 3]))
    assert said[0]["context"] == drawn[0].impression.context
    assert len(said) == LONGEST_STRETCH


def test_clocks_are_ahead_and_behind() -> None:
    off = [
        int(str(one["occurred_at"])) - NOW for seed in range(3) for one in bodies("clocks", Stream.IMPRESSIONS, seed)
    ]
    assert min(off) < -60_000
    assert 1_000 < max(off) < MOST_AHEAD_MS + 100


def test_an_id_comes_again_with_something_else() -> None:
    said = bodies("repeated", Stream.IMPRESSIONS)
    assert len({str(one["impression_id"]) for one in said}) == 1
    assert len({str(one) for one in said}) == len(said) == 2


def test_feedback_is_for_what_others_showed() -> None:
    assert Counter(str(one["impression_id"]) for one in bodies("others", Stream.FEEDBACK)).keys() == set(OTHERS)


def test_feedback_is_for_what_nobody_showed() -> None:
    answered = {str(one["impression_id"]) for one in bodies("strangers", Stream.FEEDBACK)}
    assert len(answered) > 1
    assert not answered & set(OTHERS)
    assert not bodies("strangers", Stream.IMPRESSIONS)


def test_the_definition_passes_over_what_is_refused_and_what_has_not_closed_is_not_due() -> None:
    def said(name: str, at: int) -> bytes:
        return msgspec.json.encode({"impression_id": name, "occurred_at": at, "model": "feed"})

    def watermark(offset: int, at: int, *, refused: bool = False) -> Entry:
        return Entry(offset, None, b"" if refused else msgspec.json.encode({"watermark": at}), NOW, refused)

    join = JoinConfig(wait=1.0, grace=0.5, backward=1.0, idle=None)
    shown = [
        Entry(0, b"a", said("a", NOW), NOW),
        watermark(1, NOW + 10**9, refused=True),
        Entry(2, b"b", b"", NOW, refused=True),
        Entry(3, b"c", said("c", NOW + 40_000), NOW),
        watermark(4, NOW + 1_500),
    ]
    definition = read_definition(shown, [watermark(0, NOW + 2_000)], join)
    assert [one.impression_id for one in definition.interactions.values()] == ["a"]
    assert definition.open == frozenset({"c"})
    assert not definition.late
