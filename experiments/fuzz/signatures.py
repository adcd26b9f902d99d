"""Signatures in headers: a record is believed where a key that is trusted has signed it, and never else.

An input is msgpack: a list of records, each `[kind, partition, key, value, headers]` with headers `[name, content]`, as
a broker keeps them: names are bytes. A content `Ext(1, [which, kind, partition, key, value])` is the signature of that
record by one of `signers`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache
from hashlib import sha256
from random import Random
from types import SimpleNamespace
from typing import Any, Final, get_args

import msgspec
from aiokafka.record.memory_records import MemoryRecords
from aiokafka.record.util import calc_crc32c

from experiments.fuzz.mutation import from_msgpack, mutated_bytes, mutated_tree
from experiments.fuzz.policies import KEY, MODEL, learned, sealed
from experiments.fuzz.target import Target, require
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.signatures import HEADER, Kind, Signer, Verifier
from processors.wire.log_records import UnreadRecords
from streams.kafka.signing import Belief
from streams.kafka.whole_batches import WholeBatch

SIGNED: Final = 1
KINDS: Final[Sequence[Kind]] = get_args(Kind)
MOST_RECORDS: Final = 12
MOST_UNPACKED: Final = 1 << 20
Record = tuple[bytes | None, bytes | None, Sequence[tuple[bytes, bytes | None]]]
"""Key, value and headers."""
WORDS: Final = (*KINDS, HEADER.encode(), KEY, b"", 0, 1, None, b"\xff", 2**63)


def _signer(number: int) -> Signer:
    """Return the same signer each time: so is what it signs."""
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  # an extra
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415

    key = Ed25519PrivateKey.from_private_bytes(sha256(b"%d" % number).digest())
    pkcs8, clear = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return Signer(key.private_bytes(serialization.Encoding.PEM, pkcs8, clear))


@cache
def signers() -> tuple[Signer, Signer, Signer]:
    """Return three signers, of which the first two are trusted."""
    return _signer(0), _signer(1), _signer(2)


@cache
def verifier() -> Verifier:
    """Return who trusts the first two."""
    first, second, _ = signers()
    return Verifier(first.public_key, second.public_key)


def batch(key: bytes | None, value: bytes | None, headers: Sequence[tuple[bytes, bytes | None]]) -> bytes:
    """Return a record in a batch of its own, as a broker keeps it (message format 2)."""
    fields = [key, value, *(part for header in headers for part in header)]
    sizes = [_number(-1) if one is None else _number(len(one)) + one for one in fields]
    body = b"\0" + _number(0) + _number(0) + b"".join(sizes[:2]) + _number(len(headers)) + b"".join(sizes[2:])
    content = struct.pack("!hiqqqhii", 0, 0, 1, 1, -1, -1, -1, 1) + _number(len(body)) + body
    return struct.pack("!qiibI", 0, 9 + len(content), 0, 2, calc_crc32c(content)) + content


def _number(value: int) -> bytes:
    """Return a number as records have it: in zigzag, seven bits a byte."""
    left, packed = (value << 1) ^ (value >> 63), bytearray()
    while left > 127:
        packed.append(left & 127 | 128)
        left >>= 7
    return bytes([*packed, left])


def check(data: bytes) -> None:
    """Each record is read or passed over, and believed just where one who is trusted signed it."""
    try:
        records = from_msgpack(data)
    except ValueError:
        return
    newest = NewestSnapshot(MODEL, verifier())
    for one in records[:MOST_RECORDS] if isinstance(records, list) else []:
        match one:
            case [kind, int(partition), bytes() | None as key, bytes() | None as value, list(headers)] if kind in KINDS:
                named = [(header[0], _content(header[1])) for header in headers if _is_header(header)]
                _check_record(newest, kind, partition, (key, value, named))


def _is_header(header: Any) -> bool:
    return isinstance(header, list) and len(header) == 2 and isinstance(header[0], bytes)


def _content(content: Any) -> bytes | None:
    """Return what stands in a header; for a record that is to be signed, the signature."""
    if isinstance(content, msgspec.msgpack.Ext) and content.code == SIGNED:
        with suppress(ValueError):
            match from_msgpack(bytes(content.data)):
                case [int(which), str(kind), int(partition), bytes(key), bytes(value)] if kind in KINDS:
                    return _signature(signers()[which % 3], kind, partition, key, value)
        return b""
    return content if isinstance(content, bytes) else None


def _signature(signer: Signer, kind: Any, partition: int, key: bytes, value: bytes) -> bytes:
    ((_, signature),) = signer.headers(kind, partition, key, value)
    return signature


def _check_record(newest: NewestSnapshot, kind: Kind, partition: int, record: Record) -> None:
    key, value, _ = record
    read: Any
    (read,) = next(iter(WholeBatch(MemoryRecords(batch(*record)).next_batch(), MOST_UNPACKED)))
    if isinstance(read, UnreadRecords):
        require(not _all_text(record[2]), f"it is not read: {read.why}")
        return
    require((read.key, read.value) == (key, value), "what is read is not what was written")
    headers: Sequence[tuple[str, bytes | None]] = read.headers
    signed = [content for name, content in headers if name == HEADER]
    right: list[bytes] = []
    if key is not None and value is not None:
        right = [_signature(one, kind, partition, key, value) for one in signers()[:2]]
    trusted = any(content in right for content in signed)
    seen = SimpleNamespace(topic="t", offset=0, key=key, value=value, headers=headers)
    believed = Belief(verifier(), kind, partition, lambda: None)(seen)
    require(believed == (trusted or key is None or value is None), f"believed: {believed}, signed: {trusted}")
    if newest.offer(key, value, headers):
        told = [_signature(one, "policies", 0, key or b"", value or b"") for one in signers()[:2]]
        require(any(content in told for content in signed), "what nobody has signed was adopted")


def _all_text(headers: Sequence[tuple[bytes, bytes | None]]) -> bool:
    try:
        for name, _ in headers:
            name.decode()
    except UnicodeDecodeError:
        return False
    return True


def _record(kind: str, partition: int, key: bytes, value: bytes, *which: int) -> list[Any]:
    signed = [
        [HEADER.encode(), msgspec.msgpack.Ext(SIGNED, msgspec.msgpack.encode([one, kind, partition, key, value]))]
        for one in which
    ]
    return [kind, partition, key, value, signed]


def seeds() -> Iterable[bytes]:
    """Yield records that are signed: by one who is trusted, by several, by one who is not, and not at all."""
    policy = sealed(learned(MODEL))
    for which in ((0,), (2, 1), (2,), ()):
        yield msgspec.msgpack.encode([_record("policies", 0, KEY, policy, *which)])
        yield msgspec.msgpack.encode([_record("checkpoints", 3, b"learners", b"GSWL", *which)])


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return records with something in them changed, now and then in the bytes of one."""
    try:
        records = from_msgpack(data)
        if rng.random() < 0.3:
            one = rng.choice(records)
            place = rng.choice((2, 3))
            one[place] = mutated_bytes(one[place], rng)
            return msgspec.msgpack.encode(records)
        return msgspec.msgpack.encode(mutated_tree(records, None, rng, WORDS))
    except (ValueError, TypeError, IndexError, KeyError, OverflowError, RecursionError, msgspec.MsgspecError):
        return None


TARGET: Final = Target("signatures", check, seeds, mutated, 16_384)
