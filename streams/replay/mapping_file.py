"""A mapping's TOML file, of either kind."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from streams.replay.dsjson import DsjsonMapping
from streams.replay.mapping import Mapping, MappingError


def load_mapping(path: Path) -> Mapping | DsjsonMapping:
    """Read a mapping from a TOML file.

    Raises MappingError with one line per field that is wrong.
    """
    try:
        declared: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MappingError(f"{path}: cannot be read: {error.strerror}") from error
    except tomllib.TOMLDecodeError as error:
        raise MappingError(f"{path}: not valid TOML: {error}") from error
    try:
        return (DsjsonMapping if "format" in declared else Mapping).model_validate(declared)
    except ValidationError as error:
        faults = (
            f"  {'.'.join(str(part) for part in fault['loc']) or 'mapping'}: "
            f"{fault['msg'].removeprefix('Value error, ')}"
            for fault in error.errors()
        )
        raise MappingError("\n".join([f"{path} is not a mapping:", *faults])) from error
