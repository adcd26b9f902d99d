"""The whole truth of a learner in one object: models, ledger and the offset up to which it has read.

The format is msgpack in zstd behind a header of magic, version and checksum: nothing in it can run code. Version 1, in
zlib, is read still.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, NamedTuple

import cramjam
import msgspec

from groundswell.chunks import ManifestError, assemble
from processors.wire.bounded_unpacking import UnpackError, unpacked_zlib, unpacked_zstd
from processors.wire.plain_state import Amount, Count
from processors.wire.value_counts import bounded

CHECKPOINT_KEY: Final = b"learners"
"""Of the record under which the checkpoint of a partition lies, or the manifest of its chunks."""
MAGIC = b"GSWL"
VERSION = 2
_UNPACKED: Final[Mapping[int, Callable[[bytes, int], bytes]]] = {1: unpacked_zlib, 2: unpacked_zstd}
"""What undoes the compression of each version."""
ALWAYS_UNPACKED: Final = 64 << 20
UNPACKED_TIMES: Final = 32
"""A checkpoint unpacks to so many bytes, or to so many times what it takes: weights hardly compress."""
RELEARN: Final = (
    "Run the release that wrote it, or see who else may write there. Delete its records from the checkpoints topic to "
    "learn again from the start of the interactions"
)
ALWAYS_VALUES: Final = 1 << 20
VALUES_TIMES: Final = 2
"""A checkpoint has so many values in it, or so many times the bytes that it takes: tables are one value each."""
_HEADER = len(MAGIC) + 2 + hashlib.sha256().digest_size


class CheckpointError(Exception):
    """A checkpoint that cannot be used; the message says why and what to do."""


class IncompleteError(CheckpointError):
    """A checkpoint of which chunks are missing: its writer was interrupted, or is about to write the rest."""


class Publication(msgspec.Struct):
    """Where a model is with publishing: versions count interactions.

    `version` is the last one published, `due` the next one that is due, `parent` the last one that was published
    because it was due. Policies published because time passed are nobody's parents: a snapshot's bytes know no clock.
    `published_at` is when the last one was published (seconds since 1970), None where it is not known: it is for the
    policy's age, and nothing is decided by it.
    """

    due: Count
    version: Count = 0
    parent: Count | None = None
    published_at: Amount | None = None


class Checkpoint(msgspec.Struct):
    """The state of the learners of one partition of the interactions topic.

    `offset` is the next interaction to be read. `models` maps a model's name to its learner's state
    (`Learner.state`), `publications` to where it is with publishing, `worths` to what its signals are worth
    (`SignalWorth.state`): of older checkpoints there are none, and it is learned from there on. `lineages` says of
    models that were learned again from their interactions which time that was; others have none. `interactions_topic`
    is the id of the topic in which the offset is, empty where it is not known.
    """

    offset: Annotated[int, msgspec.Meta(ge=0, le=1 << 62)]
    ledger: dict[str, Any]
    models: dict[str, dict[str, Any]]
    publications: dict[str, Publication]
    worths: dict[str, dict[str, Any]] = {}
    lineages: dict[str, str] = {}
    interactions_topic: str = ""


class Stored(NamedTuple):
    """A checkpoint as it lies on its topic: how many bytes it takes, and the slot of its chunks."""

    checkpoint: Checkpoint
    size: int
    slot: int


def encode(checkpoint: Checkpoint) -> bytes:
    """Return a checkpoint as bytes."""
    body = bytes(cramjam.zstd.compress(msgspec.msgpack.encode(checkpoint), level=1))
    return MAGIC + VERSION.to_bytes(2, "big") + hashlib.sha256(body).digest() + body


def decode(value: bytes) -> Checkpoint:
    """Return the checkpoint in these bytes.

    Raises `CheckpointError` where they are not one, are damaged, or are of a version not known here.
    """
    if len(value) < _HEADER or not value.startswith(MAGIC):
        raise CheckpointError(
            f"not a checkpoint: it starts with {value[:4]!r}, not {MAGIC!r}. Is the checkpoints topic used by "
            "something else? Point GROUNDSWELL_TOPICS__CHECKPOINTS at a topic of its own."
        )
    version = int.from_bytes(value[4:6], "big")
    if version not in _UNPACKED:
        raise CheckpointError(
            f"checkpoint of version {version}, but this release reads version {VERSION}. Run the release that "
            "wrote it, or name a new checkpoints topic to learn again from the start of the interactions."
        )
    body = value[_HEADER:]
    if hashlib.sha256(body).digest() != value[6:_HEADER]:
        raise CheckpointError(
            "checkpoint is damaged: its checksum does not match. Delete its record from the checkpoints topic to "
            "learn again from the start of the interactions."
        )
    try:
        content = _UNPACKED[version](body, max(ALWAYS_UNPACKED, UNPACKED_TIMES * len(body)))
        bounded(content, max(ALWAYS_VALUES, VALUES_TIMES * len(body)))
        return msgspec.msgpack.decode(content, type=Checkpoint)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, UnpackError) as error:
        raise CheckpointError(wrong_contents(error)) from error


def wrong_contents(why: object) -> str:
    """Return what is said of a checkpoint that is whole, but does not hold what a worker writes, and what to do."""
    return f"checkpoint has a valid checksum, but not the expected contents: {why}. {RELEARN}"


def stored(newest: Mapping[bytes, bytes | None]) -> Stored | None:
    """Return the checkpoint of a partition, by the newest record of each key; None where there is none.

    Raises `CheckpointError` where it cannot be used.
    """
    if newest.get(CHECKPOINT_KEY) is None:
        return None
    try:
        value, slot = assemble(CHECKPOINT_KEY, newest)
    except ManifestError as error:
        raise CheckpointError(f"the checkpoint is {error}. {RELEARN}") from error
    if value is None:
        raise IncompleteError(
            "the checkpoint is not complete: chunks are missing or of another one. Delete its records from the "
            "checkpoints topic to learn again from the start of the interactions."
        )
    return Stored(decode(value), len(value), slot)


def lineage(parent: str | None, configuration: str, release: str) -> str:
    """Return the name of what came of learning a model again: the SHA-256 of where from, and how.

    Of the lineage before, if it had been learned again before, of the digest of its configuration, and of the release.
    """
    return hashlib.sha256(msgspec.json.encode([parent, configuration, release])).hexdigest()
