"""A mapping's TOML file, of either kind."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from streams.declared_settings import DeclarationError, Place, explained, line_of, missing_file, read_tables
from streams.replay.dsjson import DsjsonMapping
from streams.replay.mapping import Mapping, MappingError

SHIPPED: Final = Path(__file__).with_name("mappings")


def mapping_path(named: str) -> Path:
    """Return the file of a mapping: the one of this path, or the shipped one of this name.

    Raises MappingError where there is neither.
    """
    shipped = sorted(SHIPPED.glob("*.toml"))
    path = next((one for one in shipped if one.stem == named), Path(named))
    if not path.is_file():
        names = ", ".join(one.stem for one in shipped)
        raise MappingError(f"no mapping: {missing_file(path)}; name a TOML file, or one that is shipped: {names}")
    return path


def load_mapping(path: Path) -> Mapping | DsjsonMapping:
    """Read a mapping from a TOML file.

    Raises MappingError with one line per field that is wrong.
    """

    def source(place: Place) -> str:
        line = line_of(text, place)
        return str(path) if line is None else f"{path}:{line}"

    try:
        text, declared = read_tables(path)
        if "models" in declared and "model" not in declared:
            raise MappingError(f"{path}: holds settings, which --config names; --mapping names what each column means")
        kind = DsjsonMapping if "format" in declared else Mapping
        try:
            return kind.model_validate(declared)
        except ValidationError as error:
            raise explained(error, kind, source, quoted=lambda _: True) from None
    except DeclarationError as error:
        raise MappingError(str(error)) from error
