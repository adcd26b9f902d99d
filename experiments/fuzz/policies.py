"""Records on `policies`: adopted by apps or passed over, and decided by.

An input is lines, each a letter and what it writes under a model's keys: `p` a policy with a right checksum, `c` one
in chunks of so many bytes with a right manifest (the number, a space, the policy), `m` a manifest whose checksum is
that of the chunks before it, `r` bytes as they are, `k` bytes under that of chunk 0, slot 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from hashlib import sha256
from random import Random
from typing import Any, Final

import msgspec

from experiments.fuzz.drawn import described, drawn
from experiments.fuzz.messages import interaction
from experiments.fuzz.mutation import as_json, from_json, mutated_json, mutated_lines
from experiments.fuzz.target import Target, require
from experiments.fuzz.worker import ACTIONS, CONTEXTS, KINDS, Written, check_decides, settings
from groundswell import policy
from groundswell.chunks import MOST_CHUNKS, Manifest
from groundswell.events import Interaction
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import PolicySnapshot
from processors.learners.learner_choice import learner_for
from streams.inspection.published_policies import Published, answers, in_words
from streams.observing.learning_metrics import LearningMetrics
from streams.observing.metrics import Metrics
from streams.worker.outputs import Outputs
from streams.worker.partition_learner import LearningWiring, PartitionLearner

MODEL: Final = "plain"
KEY: Final = MODEL.encode()
MOST_LINES: Final = 12
LETTERS: Final = "pcmrk"
TYPES: Final[Mapping[str, Any]] = {"p": PolicySnapshot, "c": PolicySnapshot, "m": Manifest}
WORDS: Final = (
    "epsilon-greedy",
    "squarecb",
    "softmax",
    "policy",
    "chunked",
    MODEL,
    0.1,
    32,
    [0],
    [0, 1],
    [1e100, -1e100],
)


@cache
def learned(model: str) -> bytes:
    """Return a policy of few weights, as a worker publishes it but for its checksum."""
    learner = learner_for(settings().models[model])
    log = [msgspec.convert(interaction(number, model), Interaction, strict=False) for number in range(6)]
    learner.learn(log)
    snapshot = msgspec.structs.replace(learner.snapshot(3), model=MODEL)
    return msgspec.json.encode(snapshot)


def sealed(text: bytes) -> bytes:
    """Return a policy with a right checksum: of the document as it is read, or of the text where it is none."""
    try:
        return policy.encode(msgspec.json.decode(text, type=PolicySnapshot))
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return text[:-2] + sha256(text).hexdigest().encode() + b'"}'


def _chunk(slot: int, number: int) -> bytes:
    return b"%b\0%d\0%d" % (KEY, slot, number)


def records(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield key and value of the records of an input."""
    chunks: dict[bytes, bytes] = {}
    for line in data.split(b"\n")[:MOST_LINES]:
        letter, content = line[:1], line[1:]
        if letter == b"p":
            yield KEY, sealed(content)
        elif letter == b"c":
            size, _, text = content.partition(b" ")
            whole, length = sealed(text), max(1, int(size)) if size.isdigit() and len(size) < 6 else 100
            pieces = [whole[begin : begin + length] for begin in range(0, len(whole), length)][:MOST_CHUNKS]
            chunks = {_chunk(0, number): piece for number, piece in enumerate(pieces)}
            yield from chunks.items()
            yield KEY, msgspec.json.encode(Manifest(0, max(1, len(pieces)), sha256(b"".join(pieces)).hexdigest()))
        elif letter == b"k":
            chunks = {_chunk(1, 0): content}
            yield from chunks.items()
        elif letter == b"m":
            yield KEY, _manifest(content, b"".join(chunks.values()))
        else:
            yield KEY, content


def _manifest(text: bytes, whole: bytes) -> bytes:
    try:
        tree = from_json(text)
        if isinstance(tree, dict) and tree.get("sha256") == "right":
            tree = {"kind": "chunked", **tree, "sha256": sha256(whole).hexdigest()}
        return as_json(tree, Random(0)).replace(b": ", b":").replace(b", ", b",")
    except (ValueError, RecursionError):
        return text


async def _kept() -> bool:
    return True


def check(data: bytes) -> None:
    """What is adopted gives probabilities, what is not leaves the last good one, and neither ends a worker."""
    newest = NewestSnapshot(MODEL)
    require(newest.offer(KEY, sealed(learned(MODEL))), "a good policy is not adopted")
    there: dict[bytes, bytes | None] = {}
    for key, value in records(data):
        before, refused = newest.snapshot, newest.refused
        there[key] = value
        adopted = newest.offer(key, value)
        require(adopted == (newest.snapshot is not before), "it says that it adopted a policy and did not")
        require(not (adopted and newest.refused > refused), "it adopted a policy and counted it as refused")
        if adopted and newest.snapshot is not None:
            _check_usable(newest.snapshot)
    now = newest.snapshot
    if now is not None and now.version < 1 << 62:
        good = msgspec.json.decode(learned(MODEL), type=PolicySnapshot)
        later = policy.encode(msgspec.structs.replace(good, version=now.version + 1))
        require(newest.offer(KEY, later), "the next good policy is not adopted")
    wiring = LearningWiring(
        settings(), lambda: Outputs(Written(), settings().topics), LearningMetrics(Metrics()), _kept
    )
    PartitionLearner(0, wiring, {}, there)


def _check_usable(snapshot: PolicySnapshot) -> None:
    check_decides(snapshot)
    require(snapshot.model == MODEL, f"a policy of {snapshot.model!r} is adopted for {MODEL!r}")
    require(policy.decode(policy.encode(snapshot)) == snapshot, "what is written of it is not what was read")
    in_words(Published(snapshot, 0), 1)
    for context in CONTEXTS:
        for one in answers(snapshot, context, ACTIONS):
            require(math.isfinite(one.score), f"a score of {one.score}")


def seeds() -> Iterable[bytes]:
    """Yield good policies, of each kind of model, whole and in chunks."""
    for number, model in enumerate(KINDS):
        text = learned(model)
        yield b"p" + text
        tree: dict[str, Any] = {
            **from_json(text),
            "version": 10 + number,
            "in_doubt": {"floor": 0.1, "features": [0, 7]},
        }
        tree["inverse_kinematics"] = {"indices": [3], "values": [1.0]}
        yield b"p" + msgspec.json.encode(tree)
        yield b"c1000 " + msgspec.json.encode(tree)
        yield b"k" + sealed(msgspec.json.encode(tree)) + b'\nm{"kind":"chunked","slot":1,"chunks":1,"sha256":"right"}'


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return records with a document in one of them changed, drawn anew, or written otherwise."""

    def change(line: bytes) -> bytes:
        letter = line[:1].decode("latin-1")
        if letter not in LETTERS or rng.random() < 0.05:
            letter = rng.choice("pm")
            return letter.encode() + as_json(drawn(described(TYPES[letter]), rng), rng)
        if rng.random() < 0.05:
            return rng.choice(LETTERS).encode() + line[1:]
        text = line[1:].partition(b" ")[2] if letter == "c" else line[1:]
        kind = described(TYPES[letter]) if letter in TYPES else described(PolicySnapshot)
        before = b"%d " % rng.choice((1, 7, 100, 1_000)) if letter == "c" else b""
        return letter.encode() + before + (mutated_json(text, kind, rng, WORDS) or text)

    return None if rng.random() < 0.2 else mutated_lines(data, rng, change)


TARGET: Final = Target("policies", check, seeds, mutated, 16_384)
