"""Checkpoints: what was written comes back, and what was not is refused with advice."""

from __future__ import annotations

import zlib
from hashlib import sha256

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for, restored_learner
from processors.learners.ledger import Ledger
from processors.models.config import ModelConfig
from state.learner_checkpoints import MAGIC, VERSION, Checkpoint, CheckpointError, Publication, decode, encode
from tests.unit.rounds import uniform_log

MODEL = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}), hash_bits=10)
LOG = uniform_log(200)
PUBLISHED = Publication(due=150, version=100, parent=50)


def learned(count: int) -> tuple[Learner, Ledger]:
    learner, ledger = learner_for(MODEL), Ledger()
    for interaction in LOG[:count]:
        ledger.admit(interaction.source)
    learner.learn(LOG[:count])
    return learner, ledger


def checkpoint() -> Checkpoint:
    learner, ledger = learned(100)
    return Checkpoint(100, ledger.state(), {"feed": learner.state()}, {"feed": PUBLISHED})


GOOD = encode(checkpoint())


def test_a_learner_goes_on_from_a_checkpoint_to_the_byte() -> None:
    restored = decode(GOOD)
    learner = restored_learner(MODEL, restored.models["feed"])
    undisturbed, ledger = learned(100)
    assert (restored.offset, restored.publications) == (100, {"feed": PUBLISHED})
    assert Ledger.restore(restored.ledger).state() == ledger.state()
    assert learner.learn(LOG[100:]) == undisturbed.learn(LOG[100:])
    assert learner.snapshot(None) == undisturbed.snapshot(None)
    assert learner.state() == undisturbed.state()


def test_the_same_state_gives_the_same_bytes() -> None:
    assert encode(checkpoint()) == GOOD


def test_checkpoints_of_the_first_version_are_read() -> None:
    body = zlib.compress(bytes(cramjam.zstd.decompress(GOOD[38:])), level=1)
    written_before = MAGIC + (1).to_bytes(2, "big") + sha256(body).digest() + body
    assert decode(written_before) == decode(GOOD)


@given(st.integers(0, len(GOOD) - 1), st.integers(1, 255))
def test_damage_to_any_byte_is_noticed(place: int, change: int) -> None:
    damaged = bytearray(GOOD)
    damaged[place] ^= change
    with pytest.raises(CheckpointError):
        decode(bytes(damaged))


@given(st.integers(0, len(GOOD) - 1))
def test_a_checkpoint_that_was_cut_off_is_noticed(size: int) -> None:
    with pytest.raises(CheckpointError):
        decode(GOOD[:size])


@given(st.binary(max_size=100))
def test_foreign_bytes_are_refused(value: bytes) -> None:
    with pytest.raises(CheckpointError):
        decode(value)


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (b"", "GROUNDSWELL_TOPICS__CHECKPOINTS"),
        (b'{"kind":"something else, and longer than a header would be"}', "GROUNDSWELL_TOPICS__CHECKPOINTS"),
        (MAGIC + (VERSION + 1).to_bytes(2, "big") + GOOD[6:], f"reads version {VERSION}"),
        (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "checksum does not match"),
    ],
)
def test_the_error_says_what_to_do(value: bytes, advice: str) -> None:
    with pytest.raises(CheckpointError, match=advice):
        decode(value)
