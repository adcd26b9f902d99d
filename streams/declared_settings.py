"""Settings that people declare, in TOML or in variables: read, and what is wrong with them said in words.

Of each fault: where it was set (file and line, or the variable's name), which setting it is, what it may be, and for a
name that does not exist which was probably meant.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Place = tuple[str | int, ...]
"""The way to a setting: names of tables and at last its own; numbers count in lists."""

LISTS: Final = ("frozen_set_type", "set_type", "tuple_type", "list_type")
A_TABLE: Final = "must be a table"
EXPECTED: Final = {
    **dict.fromkeys(LISTS, 'must be a list, such as ["dislike"]'),
    "string_type": "must be text, in quotation marks",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    **dict.fromkeys(("model_type", "model_attributes_type"), A_TABLE),
    "dict_type": f"{A_TABLE}, of names that you choose: {{ NAME = … }}",
    "path_not_directory": "must be a folder that exists",
    "path_not_file": "must be a file that exists",
}
"""What to say of kinds of faults for which Pydantic speaks of Python's types."""
NUMBERS: Final = ("must be a number", "must be a whole number")
SECONDS: Final = {"ms": 0.001, "s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
SPAN: Final = re.compile(rf"(\d+(?:\.\d+)?) *({'|'.join(SECONDS)})", re.IGNORECASE)
"""A length of time as people write it elsewhere."""
ALIKE: Final = 0.7
"""How much alike names of another table must be to be thought of (`difflib`); there are many."""
BESIDE: Final = re.compile(r"\(at line (\d+), column (\d+)\)$")


class DeclarationError(ValueError):
    """What was declared cannot be used; the message has a line for each fault."""


def read_tables(path: Path) -> tuple[str, dict[str, Any]]:
    """Return a TOML file as text and as tables. Raises `DeclarationError` with the line that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise DeclarationError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise DeclarationError(f"{path}: is not text in UTF-8: save it as such") from error
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        said = str(error)
        beside = BESIDE.search(said)
        where = f"{path}:{beside[1]}" if beside else str(path)
        raise DeclarationError(f"{where}: not valid TOML: {said}{_hint(said, path, text, beside)}") from error
    except RecursionError as error:
        raise DeclarationError(
            f"{path}: lists or tables lie too deep in one another: nothing here needs so many"
        ) from error


def _hint(said: str, path: Path, text: str, beside: re.Match[str] | None) -> str:
    """Return what to do about what the parser said."""
    if path.suffix.lower() != ".toml":
        return "; name a TOML file, settings with --config and a mapping with --mapping"
    if said.startswith("Invalid value"):
        return "; text stands in quotation marks"
    line = text.split("\n")[int(beside[1]) - 1].strip() if beside else ""
    return f"; a table is written [{line.strip('[] ')}]" if line.endswith("]") and "=" not in line else ""


def missing_file(path: Path) -> str:
    """Return what is the matter with a path that is no file, and which may have been meant."""
    if path.is_dir():
        return f"{path}: is a folder; name a file in it"
    beside = [one.name for one in path.parent.iterdir() if one.is_file()] if path.parent.is_dir() else []
    close = get_close_matches(path.name, beside, n=1)
    return f"{path}: no such file" + (f"; did you mean {close[0]!r}?" if close else "")


def line_of(text: str, place: Place) -> int | None:
    """Return the line, from 1, on which a setting, or else the nearest table around it, begins; None at the top.

    TOML has many ways to write one setting, so the parser itself is asked: the first lines are read, one more each
    time, until they hold the setting.
    """
    first = _first_lines(text)
    return next((first[place[:depth]] for depth in range(len(place), 0, -1) if place[:depth] in first), None)


@lru_cache(maxsize=1)
def _first_lines(text: str) -> Mapping[Place, int]:
    """Return the line of every place: once for all faults of a file, of which there may be hundreds."""
    lines = text.split("\n")
    first: dict[Place, int] = {}
    whole = 0
    for number in range(1, len(lines) + 1):
        try:
            tables = tomllib.loads("\n".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue  # amid a value of several lines
        for place in _places(tables):
            first.setdefault(place, whole + 1)
        whole = number
    return first


def _places(tables: Any, around: Place = ()) -> Iterator[Place]:
    members = tables.items() if isinstance(tables, dict) else enumerate(tables) if isinstance(tables, list) else ()
    for key, value in members:
        yield (*around, key)
        yield from _places(value, (*around, key))


def explained(
    error: ValidationError, kind: type[BaseModel], source: Callable[[Place], str], *, quoted: Callable[[Place], bool]
) -> DeclarationError:
    """Return what is wrong with a declaration of this kind, each fault on a line of its own.

    `source` returns where a place was set, `quoted` whether what was given there may be shown.
    """
    faults = error.errors(include_url=False)
    # A list whose items are wrong is not empty, as Pydantic has it.
    deeper = {one["loc"][:-depth] for one in faults for depth in range(1, len(one["loc"]))}
    faults = [one for one in faults if one["type"] != "too_short" or one["loc"] not in deeper]
    return DeclarationError("\n".join(f"{source(one['loc'])}: {_in_words(one, kind, quoted)}" for one in faults))


def _in_words(fault: ErrorDetails, kind: type[BaseModel], quoted: Callable[[Place], bool]) -> str:
    place, given, message = fault["loc"], fault.get("input"), fault["msg"]
    if fault["type"] == "extra_forbidden":
        return unknown(place, kind, is_table=isinstance(given, dict))
    if fault["type"] == "missing":
        return f"{named(place)} is missing"
    if fault["type"] == "value_error":
        message = message.removeprefix("Value error, ")
        return f"{_titled(place, kind)}{message}" if place and not message.startswith("[") else message
    if fault["type"] in {"model_type", "model_attributes_type"} and place[:1] == ("models",) and len(place) == 2:
        return f"{named(place)} stands for a model of that name: settings of one go below [models.NAME]"
    shown = f" is {_as_toml(given)}:" if quoted(place) and isinstance(given, bool | int | float | str) and place else ""
    return f"{named(place)}{shown} {_expected(fault, kind, quoted)}"


def _expected(fault: ErrorDetails, kind: type[BaseModel], quoted: Callable[[Place], bool]) -> str:
    """Return what has to stand in the place of what was given."""
    place, given, expected = fault["loc"], fault.get("input"), EXPECTED.get(fault["type"])
    if fault["type"] in LISTS and isinstance(given, str):
        return f"must be a list, such as [{_as_toml(given)}]" if quoted(place) else "must be a list: put [ ] around it"
    if fault["type"] in LISTS and isinstance(given, dict):
        return f"must be a list: put [ ] around its {{ … }}, or write [[{_dotted(place)}]] above it"
    if expected in NUMBERS and isinstance(given, str) and (span := SPAN.fullmatch(given.strip())):
        return f"{expected}, and lengths of time are in seconds: {float(span[1]) * SECONDS[span[2].lower()]:g}"
    if expected == A_TABLE and (table := _table(kind, place)) is not None:
        return f"{A_TABLE}, with {', '.join(_names(table))}"
    return expected or re.sub(r"^(Input|\w+) should ", "must ", fault["msg"])


def _titled(place: Place, kind: type[BaseModel]) -> str:
    return f"[{_dotted(place)}] " if _table(kind, place) is not None else f"{named(place)}: "


def _as_toml(given: float | str) -> str:
    match given:
        case bool():
            return str(given).lower()
        case str():
            return f'"{given}"'
        case _:
            return f"{given:g}" if isinstance(given, float) else str(given)


def named(place: Place) -> str:
    """Return a setting and the table that it is in."""
    while place and isinstance(place[-1], int):
        place = place[:-1]
    *around, name = place or ("the whole",)
    return f"`{name}` in [{_dotted(tuple(around))}]" if around else f"`{name}`"


def _dotted(place: Place) -> str:
    return ".".join(str(part) for part in place)


def unknown(place: Place, kind: type[BaseModel], *, is_table: bool) -> str:
    """Say that there is no such setting (or table), and which one may have been meant."""
    *around, name = place
    table = _table(kind, around)
    own = _names(table) if table is not None else {}
    where = f" in [{_dotted(tuple(around))}]" if around else ""
    absent = f"no table [{_dotted(place)}]" if is_table else f"no setting `{name}`{where or ' at the top'}"
    close = get_close_matches(str(name).lower(), own, n=1)
    if close:
        meant = f"[{_dotted((*around, close[0]))}]" if is_table else f"`{close[0]}`"
        return f"{absent}; did you mean {meant}?"
    if is_table:
        elsewhere_by_name = {path.rpartition(".")[2]: path for path, _ in _tables(kind)}
        if close := get_close_matches(str(name).lower(), elsewhere_by_name, n=1, cutoff=ALIKE):
            return f"{absent}; did you mean [{elsewhere_by_name[close[0]]}]?"
    for path, names in _tables(kind):
        elsewhere = get_close_matches(str(name).lower(), names, n=1, cutoff=ALIKE)
        if path and elsewhere:
            return f"{absent}; did you mean `{elsewhere[0]}` in [{path}]?"
    return f"{absent}; there are {', '.join(sorted(own))}" if own else absent


def _names(kind: type[BaseModel]) -> Mapping[str, Any]:
    return {field.alias or name: field.annotation for name, field in kind.model_fields.items()}


def _tables(kind: type[BaseModel], path: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield every table of a declaration with its names; `NAME` stands for those that people choose."""
    names = _names(kind)
    yield path, names
    for name, annotation in names.items():
        for inner, one in ((_model_in(annotation), name), (_model_of_values(annotation), f"{name}.NAME")):
            if inner is not None:
                yield from _tables(inner, f"{path}.{one}" if path else one)


def _table(kind: type[BaseModel], place: Sequence[str | int]) -> type[BaseModel] | None:
    """Return what is declared at a place, None where that is no table."""
    at: type[BaseModel] | None = kind
    rest = list(place)
    while rest and at is not None:
        annotation = _names(at).get(str(rest.pop(0)))
        inner = _model_in(annotation)
        if inner is None:
            inner = _model_of_values(annotation)
            if not rest:
                return None
            rest.pop(0)
        at = inner
    return at


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if get_origin(annotation) in {dict, tuple}:
        return None
    return _first_model(annotation)


def _model_of_values(annotation: Any) -> type[BaseModel] | None:
    """Return the kind of the values of a table, or the items of a list."""
    if get_origin(annotation) is dict:
        return _first_model(get_args(annotation)[1])
    return _first_model(get_args(annotation)[0]) if get_origin(annotation) is tuple else None


def _first_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((inner for each in get_args(annotation) if (inner := _first_model(each)) is not None), None)
