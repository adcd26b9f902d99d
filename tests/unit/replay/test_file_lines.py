"""The lines of a file, however it is compressed; and files that are not whole."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from streams.replay.file_lines import lines_of
from streams.replay.mapping import MappingError

LINES = [f"line {n} {n * n * 7919 % 1_000_003}\n".encode() for n in range(50_000)]
WHOLE = b"".join(LINES)
SKIPPED = struct.pack("<II", 0x184D2A50, 4) + b"meta"


def _zstd(content: bytes) -> bytes:
    return zstandard.ZstdCompressor(write_checksum=True).compress(content)


PACKED: dict[str, Callable[[bytes], bytes]] = {"log.csv.gz": gzip.compress, "log.csv.zst": _zstd}


@pytest.mark.parametrize("name", PACKED)
def test_what_is_compressed_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    pack, path = PACKED[name], tmp_path / name
    path.write_bytes(pack(WHOLE[:1_000]) + pack(WHOLE[1_000:]))  # as `cat` puts files together
    assert list(lines_of(path)) == LINES
    elsewhere = tmp_path / "log.csv"
    elsewhere.write_bytes(path.read_bytes())
    assert list(lines_of(elsewhere)) == LINES, "the first bytes tell"


def test_frames_of_other_things_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.zst"
    path.write_bytes(SKIPPED + _zstd(b"a\n") + SKIPPED + _zstd(b"b\n"))
    assert list(lines_of(path)) == [b"a\n", b"b\n"]


@pytest.mark.parametrize("name", PACKED)
@pytest.mark.parametrize("kept", [0.1, 0.5, 0.999])
def test_a_file_that_was_cut_is_refused(tmp_path: Path, name: str, kept: float) -> None:
    packed = PACKED[name](WHOLE)
    (tmp_path / name).write_bytes(packed[: int(len(packed) * kept)])
    with pytest.raises(MappingError, match=rf"{name}: the compressed file is cut off after line \d+"):
        list(lines_of(tmp_path / name))


@pytest.mark.parametrize("name", PACKED)
def test_a_file_that_was_damaged_is_refused(tmp_path: Path, name: str) -> None:
    packed = bytearray(PACKED[name](WHOLE))
    for place in range(len(packed) // 2, len(packed) // 2 + 20):
        packed[place] ^= 0xFF
    (tmp_path / name).write_bytes(packed)
    with pytest.raises(MappingError, match=rf"{name}: the compressed file is (damaged|cut off) after line \d+"):
        list(lines_of(tmp_path / name))


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("log.csv.gz", b"id,at\n", "is not compressed as its name says"),
        ("log.csv.gz", gzip.compress(b"a\n") + b"rubbish", "is damaged after line 0"),
        ("log.csv", b"\xff\xfea\x00\n", "no valid UTF-16-LE after line 0"),
    ],
)
def test_what_is_no_text_is_refused(tmp_path: Path, name: str, content: bytes, complaint: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MappingError, match=complaint):
        list(lines_of(tmp_path / name))


def test_an_empty_file_has_no_lines(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_bytes(b"")
    assert list(lines_of(tmp_path / "log.csv")) == []
