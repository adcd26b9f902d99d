"""The lines of a text file in UTF-8, unpacked where it is compressed.

What is wrong with a whole file is found here: that it is cut, damaged, or no text. What it held cannot be counted then,
so it is refused whatever a mapping says of bad rows.
"""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import zstandard

from streams.replay.file_kinds import ENOUGH, no_text
from streams.replay.mapping import MappingError

GZIP, ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
COMPRESSED = (".gz", ".zst")
_CHUNK = 1 << 18
_UTF_8 = b"\xef\xbb\xbf"
_WIDE = {b"\xff\xfe\x00\x00": "utf-32", b"\x00\x00\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def plain_name(path: Path) -> str:
    """Return the file's name in lower case without the ending that says how it is compressed."""
    name = path.name.lower()
    for ending in COMPRESSED:
        name = name.removesuffix(ending)
    return name


def lines_of(path: Path) -> Iterator[bytes]:
    """Yield the lines of a text file as UTF-8 with their ends, without a byte-order mark.

    How it is compressed is told by its first bytes. Text in UTF-16 or UTF-32 is known by its byte-order mark.
    Raises MappingError where the file cannot be read to its end.
    """
    read = 0
    try:
        with path.open("rb") as file:
            for line in _decoded(_known_as_text(_unpacked(file, path), path)):
                read += 1
                yield line
    except EOFError as error:
        raise MappingError(
            f"{path}: the compressed file is cut off after line {read}: copy it again, or unpack what there is of it "
            "(`gzip -dc`, `zstd -dc`) and replay that"
        ) from error
    except (zlib.error, gzip.BadGzipFile, zstandard.ZstdError) as error:
        raise MappingError(
            f"{path}: the compressed file is damaged after line {read}: {error}; copy it again"
        ) from error
    except UnicodeDecodeError as error:
        told = f"{path}: no valid {error.encoding.upper()} after line {read}: {error.reason}"
        raise MappingError(f"{told}; it may be cut or damaged: copy it again") from error
    except OSError as error:
        raise MappingError(f"{path}: cannot be read: {error.strerror or error}; see who may read it") from error


def _unpacked(file: io.BufferedReader, path: Path) -> io.BufferedReader:
    begin = file.read(4)
    file.seek(0)
    if begin.startswith(GZIP):
        return io.BufferedReader(gzip.GzipFile(fileobj=file), _CHUNK)
    if begin.startswith(ZSTD) or (begin[1:4] == b"\x2a\x4d\x18" and 0x50 <= begin[0] < 0x60):
        return io.BufferedReader(_Zstd(file), _CHUNK)
    if path.suffix.lower() in COMPRESSED and begin:
        raise MappingError(
            f"{path}: is not compressed as its name says: it begins with {begin!r}; take {path.suffix} off"
        )
    return file


def _known_as_text(file: io.BufferedReader, path: Path) -> io.BufferedReader:
    found = no_text(file.peek(ENOUGH)[:ENOUGH])
    if found is not None:
        raise MappingError(f"{path}: cannot be read as a table or as JSON lines: {found}")
    return file


def _decoded(file: io.BufferedReader) -> Iterator[bytes]:
    begin = file.peek(4)[:4]
    for mark, encoding in _WIDE.items():
        if begin.startswith(mark):
            # Halves of surrogate pairs are let through here, for the row that holds them to be named.
            text = io.TextIOWrapper(file, encoding=encoding, errors="surrogatepass", newline="\n")
            return (line.encode("utf-8", "surrogatepass") for line in text)
    if begin.startswith(_UTF_8):
        file.read(len(_UTF_8))
    return iter(file)


class _Zstd(io.RawIOBase):
    """Reads frames of zstd one after another. The library's own reader ends without an error where a file is cut."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._begun = False
        self._left = b""
        self._unpacked = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: object) -> int:
        while not self._unpacked:
            packed = self._left or self._file.read(_CHUNK)
            self._left = b""
            if not packed:
                if self._begun:
                    raise EOFError
                return 0
            self._begun = True
            self._unpacked = memoryview(self._frame.decompress(packed))
            if self._frame.eof:
                self._left = self._frame.unused_data
                self._frame, self._begun = zstandard.ZstdDecompressor().decompressobj(), False
        room = memoryview(target)  # type: ignore[arg-type]  # any buffer, which Python 3.11 has no type for
        taken = min(len(room), len(self._unpacked))
        room[:taken] = self._unpacked[:taken]
        self._unpacked = self._unpacked[taken:]
        return taken
