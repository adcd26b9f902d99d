"""Files as `replay` reads them: every row is accounted for, and what would be sent is let in by a worker."""

from __future__ import annotations

import json
import math
import tempfile
import time
from atexit import register
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from shutil import rmtree
from typing import Any, Final

import msgspec

from experiments.bench.workload import LoggedRecord
from experiments.fuzz.target import require
from processors.admission.event_records import Admission, Refusal
from processors.models.config import ModelConfig
from streams.declared_settings import DeclarationError
from streams.replay.examination import ReplayError, examine, found_good, readable_log, summed_up
from streams.replay.mapping import MappingError
from streams.replay.mapping_file import load_mapping
from streams.replay.standards import Standards

MODEL: Final = "feed"
MODELS: Final = {MODEL: ModelConfig(name=MODEL, definitely_negative=frozenset({"dislike"}))}
FAULT: Final = "a fault of groundswell"
"""What `replay` says where rows do not add up."""


@cache
def folder() -> Path:
    """Return a folder for files, which goes with this process."""
    made = Path(tempfile.mkdtemp(prefix="fuzz-"))
    register(rmtree, made, ignore_errors=True)
    return made


def as_toml(value: Any) -> str:
    """Return a value as TOML writes it in one line."""
    match value:
        case dict():
            pairs = ", ".join(f"{_text(str(key))} = {as_toml(one)}" for key, one in value.items() if one is not None)
            return f"{{{pairs}}}"
        case list():
            return f"[{', '.join(as_toml(one) for one in value if one is not None)}]"
        case bool():
            return "true" if value else "false"
        case float() if not math.isfinite(value):
            return "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"
        case int() | float():
            return repr(value) if isinstance(value, float) or abs(value) < 10**4000 else "1"
    return _text(str(value))


def _text(text: str) -> str:
    return json.dumps(text).replace("\x7f", "\\u007f")


def mapping_text(tree: Any) -> str:
    """Return a mapping as a file of TOML; a text is one already."""
    if not isinstance(tree, dict):
        return str(tree)
    return "".join(f"{_text(str(key))} = {as_toml(one)}\n" for key, one in tree.items() if one is not None)


def check_replayed(mapping: str, log: str, files: Mapping[str, bytes]) -> None:
    """Read a log by a mapping, all but sending it. Raises what `replay` would not tell of as wrong with the files."""
    place = folder()
    for old in place.iterdir():
        old.unlink()
    for name, content in files.items():
        (place / name).write_bytes(content)
    (place / "mapping.toml").write_bytes(mapping.encode("utf-8", "surrogatepass"))
    try:
        declared = load_mapping(place / "mapping.toml")
        standards = Standards(models=MODELS)
        standards.check_model(declared.model)
        read = readable_log(place / log, declared)
        known = read.rows - read.duplicates - read.left_out.total()
        found = examine(read, declared.model, standards, None)
        summary = summed_up(read, found, 0, 0.0)
    except (MappingError, ReplayError, DeclarationError) as error:
        require(FAULT not in str(error), f"{error}")
        require(bool(str(error)), "it is refused without a word")
        return
    require(summary.impressions + summary.duplicates + read.left_out.total() == read.rows, "the rows do not add up")
    require(known >= summary.impressions, f"{summary.impressions} impressions of {known} rows")
    list(summary.in_words())
    good = list(found_good(read, found, None))
    require(len(good) == summary.impressions, f"{summary.impressions} found good, {len(good)} read again")
    pieces = [piece for _, feedback in good for piece in feedback]
    require(len(pieces) == sum(summary.feedback.values()), f"{summary.feedback} found good, {len(pieces)} read again")
    admission, now = Admission(MODELS, standards.max_ahead_ms), int(time.time() * 1_000)
    encode = msgspec.json.encode
    records = [LoggedRecord(0, one.impression_id.encode(), encode(one), now) for one, _ in good]
    let_in = [*admission.impressions(records)]
    records = [LoggedRecord(0, one.impression_id.encode(), encode(one), now) for one in pieces]
    for one in (*let_in, *admission.feedback(records)):
        require(not isinstance(one, Refusal), f"it would be sent, and be refused: {one}")
