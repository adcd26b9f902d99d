"""Values larger than a record may be, on a compacted topic, adopted whole or not at all.

A value that fits lies under its own key. A larger one is cut into chunks under keys of their own, written to the
slot that the last value did not use, and then a manifest under the value's key names slot, number and checksum.
A reader that finds chunks that do not match their manifest keeps what it had: the writer was interrupted, or
is about to write the manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta

CHUNK_BYTES = 800_000
"""Below the 1 MB that brokers take by default, with room for headers."""
MOST_CHUNKS: Final = 1_000
"""Of a value: a larger one is neither written nor believed in."""
_MANIFEST = b'{"kind":"chunked"'


class ManifestError(ValueError):
    """What stands under a value's key is neither a value nor a manifest of chunks; the message says why."""


class Manifest(msgspec.Struct, tag_field="kind", tag="chunked"):
    """Where the chunks of a value lie."""

    slot: Annotated[int, Meta(ge=0, le=1)]
    chunks: Annotated[int, Meta(ge=1, le=MOST_CHUNKS)]
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


def split(key: bytes, value: bytes, previous_slot: int) -> tuple[list[tuple[bytes, bytes]], int]:
    """Return the records to write for this value, in order, the one under `key` last, and the slot they use.

    Raises `ValueError` where that takes more than `MOST_CHUNKS` chunks.
    """
    if len(value) <= CHUNK_BYTES:
        return [(key, value)], previous_slot
    slot = 1 - previous_slot
    pieces = [value[start : start + CHUNK_BYTES] for start in range(0, len(value), CHUNK_BYTES)]
    if len(pieces) > MOST_CHUNKS:
        raise ValueError(f"{len(value):,} bytes are more than the {MOST_CHUNKS:,} chunks of a value hold")
    records = [(_chunk_key(key, slot, number), piece) for number, piece in enumerate(pieces)]
    manifest = Manifest(slot, len(pieces), hashlib.sha256(value).hexdigest())
    return [*records, (key, msgspec.json.encode(manifest))], slot


def assemble(key: bytes, records: Mapping[bytes, bytes | None]) -> tuple[bytes | None, int]:
    """Return the value under `key` from the newest record of each key, and its slot; None if it is not complete.

    Raises `ManifestError`.
    """
    head = records.get(key)
    if head is None or not head.startswith(_MANIFEST):
        return head, 0
    manifest = _read(head)
    pieces = [records.get(_chunk_key(key, manifest.slot, number)) for number in range(manifest.chunks)]
    value = b"".join(piece for piece in pieces if piece is not None)
    complete = None not in pieces and hashlib.sha256(value).hexdigest() == manifest.sha256
    return (value if complete else None), manifest.slot


def used_slot(head: bytes | None) -> int:
    """Return the slot that the value whose newest record under its key is `head` lies in. Raises `ManifestError`."""
    if head is None or not head.startswith(_MANIFEST):
        return 0
    return _read(head).slot


def is_of(key: bytes, record: bytes) -> bool:
    """Say whether a record's key is that of the value under `key`, or one that a chunk of it may have."""
    if record == key:
        return True
    if not record.startswith(key + b"\0"):
        return False
    slot, _, number = record[len(key) + 1 :].partition(b"\0")
    # Only as chunks are written, so that there are no more keys than chunks.
    return slot in {b"0", b"1"} and number.isdigit() and len(number) < 4 and b"%d" % int(number) == number


def is_chunk(key: bytes) -> bool:
    """Say whether a record is a chunk of a value rather than a value of its own."""
    return b"\x00" in key


def _read(head: bytes) -> Manifest:
    try:
        return msgspec.json.decode(head, type=Manifest)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ManifestError(f"not a manifest of chunks: {error}") from error


def _chunk_key(key: bytes, slot: int, number: int) -> bytes:
    return b"%b\x00%d\x00%d" % (key, slot, number)
