"""What a file is, by its first bytes: names that say something else are told, with what to do about it."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final, NamedTuple

ENOUGH: Final = 512
"""Bytes that tell."""
PARQUET: Final = b"PAR1"
CONVERT: Final = "write it as Parquet, CSV or JSON lines"
PRINTED: Final = 9
"""The tabulator: bytes below it stand in no text, and tell a form from a text that begins with its letters."""


class Form(NamedTuple):
    """A form that files have: how they begin (at `place`), what they are, what to do where a text was expected."""

    begins: bytes
    is_a: str
    do: str
    place: int = 0


FORMS: Final = (
    Form(PARQUET, "Parquet", "let its name end in .parquet"),
    Form(b"PK\x03\x04", "a ZIP archive or an Excel workbook", "unpack it, or save the sheet as CSV"),
    Form(b"\xd0\xcf\x11\xe0", "an Excel workbook", "save the sheet as CSV"),
    Form(b"BZh", "compressed with bzip2", "unpack it (bunzip2)"),
    Form(b"\xfd7zXZ", "compressed with xz", "unpack it (unxz)"),
    Form(b"7z\xbc\xaf", "a 7z archive", "unpack it"),
    Form(b"ustar", "a tar archive", "unpack it (tar -xf)", place=257),
    Form(b"Obj\x01", "Avro", CONVERT),
    Form(b"ORC", "ORC", CONVERT),
    Form(b"ARROW1", "Arrow", CONVERT),
    Form(b"SQLite format 3", "an SQLite database", "export the table as CSV"),
)
VW_TEXT: Final = re.compile(
    rb"\s*(?:(?:shared|(?:ccb|slates?) [a-z]+|[-+.\d][-+.\d:,eE]*)(?:[ \t][^|\r\n]*)?)?"
    rb"\|[^\s|]*[ \t]+[^\s|][^\r\n]*(?<!\|)(?:[\r\n]|\Z)"
)
"""The first line of VowpalWabbit's own text: a label, or none, and features behind a bar and a namespace."""
TEXTS: Final = (
    (
        VW_TEXT,
        "VowpalWabbit's own text, which tells no times, no ids and no signals, and is not read",
        'replay the DSJSON that was logged (`format = "dsjson"` in the mapping): Personalizer, RLClientLib and '
        "`vw --dsjson` have it, one decision a line (docs/moving.md)",
    ),
    (re.compile(rb"\s*<(?:!doctype html|html)\b", re.IGNORECASE), "a web page", "download the file itself, signed in"),
    (re.compile(rb"version https://git-lfs\."), "a pointer of Git LFS", "get the file it stands for (git lfs pull)"),
)
"""Texts that are neither tables nor JSON lines, whatever they are called."""
COMPRESSED: Final = ((b"\x1f\x8b", "gzip", "gunzip"), (b"\x28\xb5\x2f\xfd", "zstd", "unzstd"))


def no_text(begin: bytes) -> str | None:
    """Return what a file is that begins so, and what to do about it, where it is known to be no text."""
    for form in FORMS:
        if begin.startswith(form.begins, form.place) and any(byte < PRINTED for byte in begin):
            return f"it is {form.is_a}: {form.do}"
    return other_text(begin)


def other_text(begin: bytes) -> str | None:
    """Return what a text is that begins so, and what to do about it, where it is no log of any kind that is read."""
    return next((f"it is {is_a}: {do}" for form, is_a, do in TEXTS if form.match(begin)), None)


def what_to_do_about(path: Path) -> str:
    """Return what a file is whose name does not say so, and what to do about it. Raises OSError."""
    begin = begin_of(path)
    for mark, name, command in COMPRESSED:
        if begin.startswith(mark):
            return f"it is compressed with {name}: unpack it ({command})"
    found = no_text(begin)
    if found is not None:
        return found
    if not begin:
        return "it is empty: write it again"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(begin)  # a character may be cut where reading stopped
    except UnicodeDecodeError:
        return "it may be cut or damaged: copy it again"
    if begin.lstrip()[:1] in {b"{", b"["}:
        return "it looks like JSON lines: let its name end in .jsonl"
    return "it looks like text: let its name end in .csv or .tsv"


def begin_of(path: Path) -> bytes:
    """Return the first bytes of a file. Raises OSError."""
    with path.open("rb") as file:
        return file.read(ENOUGH)
