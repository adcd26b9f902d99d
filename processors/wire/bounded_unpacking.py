"""Decompression that is bounded while it runs: a few bytes can stand for gigabytes."""

from __future__ import annotations

import zlib
from typing import Final

import zstandard

LARGEST_WINDOW: Final = 1 << 23
"""Bytes that a frame of zstd may ask to be kept at hand (RFC 8878 recommends no more to be needed)."""
PIECE: Final = 1 << 20


class UnpackError(ValueError):
    """What was compressed cannot be unpacked, or is more than it may be; the message says which."""


def unpacked_zstd(content: bytes, most: int) -> bytes:
    """Return what is in a frame of zstd, `most` bytes at most. Raises `UnpackError`."""
    pieces, left = [], most + 1
    try:
        with zstandard.ZstdDecompressor(max_window_size=LARGEST_WINDOW).stream_reader(content) as reader:
            while left and (piece := reader.read(min(PIECE, left))):
                pieces.append(piece)
                left -= len(piece)
    except zstandard.ZstdError as error:
        raise UnpackError(f"it is not compressed as it should be: {error}") from error
    if not left:
        raise UnpackError(f"its {len(content):,} bytes unpack to more than the {most:,} that they may")
    return b"".join(pieces)


def unpacked_zlib(content: bytes, most: int) -> bytes:
    """Return what zlib compressed, `most` bytes at most. Raises `UnpackError`."""
    unpacker = zlib.decompressobj()
    try:
        result = unpacker.decompress(content, most + 1)
    except zlib.error as error:
        raise UnpackError(f"it is not compressed as it should be: {error}") from error
    if len(result) > most:
        raise UnpackError(f"its {len(content):,} bytes unpack to more than the {most:,} that they may")
    return result
