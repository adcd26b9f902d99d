"""Batches of records are unpacked up to a bound, and no further.

A broker bounds what a batch takes packed. Tens of kilobytes that compress well unpack to gigabytes, and aiokafka
unpacks whole. Here unpacking writes into a buffer of the size that a batch may have, and ends where that is full.
"""

from __future__ import annotations

import struct
import sys
import threading
from collections.abc import Callable
from functools import partial
from typing import Any, Final

import cramjam
import numpy as np
from aiokafka.record.default_records import DefaultRecordBatch
from aiokafka.record.legacy_records import LegacyRecordBatch
from numpy.typing import NDArray

MOSTLY: Final = 4_000_000
"""Bytes to which batches unpack as a rule: for these the buffer is kept."""
_FULL: Final = "failed to write whole buffer"
_XERIAL: Final = bytes((0x82,)) + b"SNAPPY\0" + struct.pack("!ii", 1, 1)
"""What stands before blocks of snappy as Java's clients write them."""


class UnpackingError(Exception):
    """A batch that cannot be unpacked: what it holds is too large, or is no such thing."""

    def __init__(self, why: str, *, too_large: bool) -> None:
        super().__init__(why)
        self.too_large = too_large


class _Buffers(threading.local):
    """Of each thread: the buffer that is kept, and how much was unpacked last."""

    def __init__(self) -> None:
        self.kept: NDArray[np.uint8] = np.empty(MOSTLY, dtype=np.uint8)
        self.last = 0


_buffers = _Buffers()


def last_unpacked() -> int:
    """Return the bytes of the batch that this thread unpacked last, and forget them."""
    last, _buffers.last = _buffers.last, 0
    return last


def bound_unpacking(most_bytes: int) -> None:
    """Let all of aiokafka's consumers in this process unpack no batch to more than that; it has no setting for it."""
    codecs: dict[str, Callable[[int, Any], bytes]] = {
        "gzip_decode": partial(_unpacked, cramjam.gzip),
        "lz4_decode": partial(_unpacked, cramjam.lz4),
        "zstd_decode": partial(_unpacked, cramjam.zstd),
        "snappy_decode": _unpacked_snappy,
    }
    for batch in (DefaultRecordBatch, LegacyRecordBatch):
        module = sys.modules[batch.__module__]
        for name, unpack in codecs.items():
            if hasattr(module, name):
                setattr(module, name, partial(_noted, unpack, most_bytes))


def too_large(most_bytes: int) -> UnpackingError:
    """Return what is raised where a batch unpacks to more than it may."""
    return UnpackingError(f"it unpacks to more than {most_bytes:,} bytes (kafka.max_unpacked_bytes)", too_large=True)


def _noted(unpack: Callable[[int, Any], bytes], most_bytes: int, packed: Any) -> bytes:
    unpacked = unpack(most_bytes, packed)
    _buffers.last = len(unpacked)
    return unpacked


def _unpacked(codec: Any, most_bytes: int, packed: Any) -> bytes:
    """Unpack what is packed with one of cramjam's codecs, into the buffer that is kept or one of the largest size."""
    kept = _buffers.kept[:most_bytes]
    try:
        return _into(codec, packed, kept)
    except cramjam.DecompressionError as error:
        if str(error) != _FULL:
            raise UnpackingError(f"it cannot be unpacked: {error}", too_large=False) from error
    try:
        return _into(codec, packed, np.empty(most_bytes, dtype=np.uint8))
    except cramjam.DecompressionError as error:
        raise too_large(most_bytes) from error


def _into(codec: Any, packed: Any, buffer: NDArray[np.uint8]) -> bytes:
    return buffer[: codec.decompress_into(packed, buffer)].tobytes()


def _unpacked_snappy(most_bytes: int, packed: Any) -> bytes:
    """Unpack snappy, which says of each block how large it is, and never writes more."""
    blocks, size, parts = _snappy_blocks(memoryview(packed)), 0, []
    try:
        for block in blocks:
            size += cramjam.snappy.decompress_raw_len(block)
            if size > most_bytes:
                raise too_large(most_bytes)
            parts.append(bytes(cramjam.snappy.decompress_raw(block)))
    except cramjam.DecompressionError as error:
        raise UnpackingError(f"it cannot be unpacked: {error}", too_large=False) from error
    return b"".join(parts)


def _snappy_blocks(packed: memoryview) -> list[memoryview]:
    if bytes(packed[: len(_XERIAL)]) != _XERIAL:
        return [packed]
    blocks, at = [], len(_XERIAL)
    while at < len(packed):
        (length,) = struct.unpack_from("!i", packed, at) if at + 4 <= len(packed) else (0,)
        if length <= 0 or at + 4 + length > len(packed):
            raise UnpackingError("it cannot be unpacked: a block of snappy has no such length", too_large=False)
        blocks.append(packed[at + 4 : at + 4 + length])
        at += 4 + length
    return blocks
