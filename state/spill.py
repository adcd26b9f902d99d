"""Payloads of pending impressions in files instead of in memory, where windows are longer than memory is large.

The files are a cache: they have no name, and nothing is read from them after a restart, when they are made anew from
the changelog. Each is gone when the last payload in it is.
"""

from __future__ import annotations

import errno
import os
import resource
import tempfile
import weakref
from pathlib import Path

from msgspec import Struct

CHUNK_BYTES = 64 << 20
"""The size of a file. The payloads in one came together, and are let go of at about the same time."""
_LENGTH_BITS = 24
_TOO_LONG = 1 << _LENGTH_BITS


class SpillError(Exception):
    """The folder does not take a payload; the message says what to do."""


class Chunk:
    """A file without a name, to be written once from its beginning to its end."""

    def __init__(self, folder: Path) -> None:
        self.file, name = tempfile.mkstemp(dir=folder, prefix="pending-")
        os.unlink(name)
        self.size = 0
        weakref.finalize(self, os.close, self.file)


class Spilled(Struct, gc=False, eq=False):
    """A payload that lies in a file: `bytes(spilled)` reads it. `place` is where it begins, and its length."""

    chunk: Chunk
    place: int

    def __len__(self) -> int:
        """Return the number of bytes."""
        return self.place & ((1 << _LENGTH_BITS) - 1)

    def __bytes__(self) -> bytes:
        """Return the payload."""
        return os.pread(self.chunk.file, len(self), self.place >> _LENGTH_BITS)


class Spill:
    """Where the payloads of one partition go. `put` raises `SpillError` where the disk is full."""

    def __init__(self, folder: Path) -> None:
        """Let this process have as many files open as it may: each is held by a descriptor."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        self._folder = folder
        self._chunk: Chunk | None = None

    def put(self, value: bytes) -> Spilled:
        """Write a payload of less than 16 MiB; it stays readable for as long as what is returned lives."""
        if len(value) >= _TOO_LONG:
            raise SpillError(
                f"a payload of {len(value):,} bytes is too long for spill_folder, which takes less than {_TOO_LONG:,}: "
                "lower the topic's max.message.bytes, or unset spill_folder"
            )
        try:
            if self._chunk is None or self._chunk.size + len(value) > CHUNK_BYTES:
                self._chunk = Chunk(self._folder)
            chunk = self._chunk
            written = os.pwrite(chunk.file, value, chunk.size)
        except OSError as error:
            too_many = error.errno in (errno.EMFILE, errno.ENFILE)
            raise SpillError(self._too_many_files() if too_many else self._full(str(error))) from error
        if written != len(value):
            raise SpillError(self._full("no space left on the device"))
        spilled = Spilled(chunk, chunk.size << _LENGTH_BITS | len(value))
        chunk.size += len(value)
        return spilled

    def _too_many_files(self) -> str:
        return (
            f"spill_folder {self._folder} takes no more payloads of pending impressions: one file is open for every "
            f"{CHUNK_BYTES >> 20} MB, and this process may open no more. Raise its hard limit (ulimit -Hn, "
            "LimitNOFILE), or start more workers; nothing is lost, as the payloads are in the changelog too"
        )

    def _full(self, why: str) -> str:
        return (
            f"spill_folder {self._folder} takes no more payloads of pending impressions: {why}. Make room, or name "
            "another folder; nothing is lost, as they are in the changelog too"
        )
