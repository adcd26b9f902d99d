"""JSON lines, one object a line, with Python's json module: it takes what Python wrote, NaN and Infinity among it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from processors.wire.repeated_names import RepeatedNameError, object_once
from streams.replay.cell_values import shortened
from streams.replay.file_lines import lines_of
from streams.replay.left_out import RowError
from streams.replay.tables import Wanted, missing_column, nested

_MARK = b"\xef\xbb\xbf"


def objects(path: Path) -> Iterator[tuple[int, bytes, dict[str, Any] | RowError]]:
    """Yield each line's number and text with the object in it, or with what is wrong. Empty lines are left out."""
    for number, raw in enumerate(lines_of(path), start=1):
        line = raw.strip().removeprefix(_MARK)  # which stands where files were put one after another
        if line:
            yield number, line, parsed_object(line)


def parsed_object(line: bytes) -> dict[str, Any] | RowError:
    """Return the object in a line, or what is wrong with it."""
    try:
        record = json.loads(line.decode(), object_pairs_hook=object_once)
    except UnicodeDecodeError as error:
        return RowError("line", f"no valid UTF-8 at byte {error.start + 1}; convert the file, as with `iconv -t UTF-8`")
    except json.JSONDecodeError as error:
        where = f"no JSON at character {error.pos + 1}, {error.msg}: {_shown(line)}"
        return RowError("line", f"{where}{_hint(line)}")
    except RepeatedNameError as error:
        return RowError("line", str(error))
    except (ValueError, RecursionError) as error:
        return RowError("line", f"no JSON that can be read, {error}: {_shown(line)}")
    if not isinstance(record, dict):
        hint = "; write the elements of an array one a line (jq -c '.[]')" if isinstance(record, list) else ""
        return RowError("line", f"expected an object, found {_shown(line)}{hint}")
    return record


def _hint(line: bytes) -> str:
    """Return what to do about a line that is no JSON, where it looks like something else."""
    if line in {b"{", b"["}:
        return "; write each object on one line (jq -c '.[]' of an array, jq -c . of objects)"
    return "" if line.startswith((b"{", b"[")) else "; each line has to be an object, {…}: CSV has to be named .csv"


def _shown(line: bytes) -> str:
    return shortened(line.decode())


class JsonRows:
    """The rows of a file of JSON lines. Fields of nested objects are columns with dots in their names."""

    unit: ClassVar[str] = "line"
    typed: ClassVar[bool] = True

    def __init__(self, path: Path, wanted: Sequence[Wanted]) -> None:
        self._path = path
        self._wanted = wanted

    def rows(self) -> Iterator[tuple[int, list[object] | RowError]]:
        paths = [(one.column, one.column.split(".")) for one in self._wanted]
        unseen = dict(enumerate(self._wanted))
        there: dict[str, None] = {}
        good = False
        for number, _, record in objects(self._path):
            if isinstance(record, RowError):
                yield number, record
                continue
            good = True
            cells: list[object] = []
            for place, (column, names) in enumerate(paths):
                found, cell = (True, record[column]) if column in record else nested(record, names)
                cells.append(cell)
                if found:
                    unseen.pop(place, None)
            if unseen:
                there.update(dict.fromkeys(record))
            yield number, cells
        if good and unseen:
            raise missing_column(self._path, next(iter(unseen.values())), there, " (in any of its lines)")
