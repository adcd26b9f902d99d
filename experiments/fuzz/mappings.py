"""Logs as tables, by a mapping: read to the end with every row accounted for, or refused with what is wrong.

An input is JSON: the `mapping`, a tree or a text of TOML, and the `files`, the log first. Names of files tell how they
are read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from random import Random
from typing import Any, Final

import msgspec

from experiments.fuzz.mutation import as_json, from_json, mutated_json, mutated_tree
from experiments.fuzz.replayed import MODEL, check_replayed, mapping_text
from experiments.fuzz.target import Target

NAMES: Final = ("log.csv", "log.tsv", "log.jsonl", "log.csv.gz", "items.csv", "answers.jsonl", "log.parquet")
NAME: Final = re.compile(r"[a-z]{1,9}(\.[a-z]{1,7}){1,2}")
WORDS: Final = (
    "model", MODEL, "impression_id", "occurred_at", "column", "unit", "s", "ms", "us", "ns", "iso", "action", "set",
    "distinct", "listed", "table", "items", "separator", ",", ";", "|", "index_from", 0, 1, "first_of", "missing",
    "features", "type", "category", "number", "boolean", "propensity", "probabilities", "constant", "estimate",
    "action_frequency", "context", "feedback", "signal", "signal_from", "above", "below", "equals", "present", True,
    "delay_ms", "delay", "at", "value", "id", "at_most_ms", "policy_version", "weight", "deduplicate", "tables",
    "path", "key", "on", "sorted_by_time", "quotes", "breaks_in_values", "bad_rows", "skip", "stop", "format",
    "dsjson", "who", "when", "shown", "offered", "p", "ps", "liked", "seen", "items.kind", "items.price",
    "answers.at", "answers.signal", "answers.impression", "items.csv", "answers.jsonl", 0.5, {"column": "who"},
    {"column": "when", "unit": "s"}, {"table": "items"}, {"column": "offered"}, ["a", "b", "c"],
)  # fmt: skip
CELLS: Final = (
    b"", b"\\N", b"null", b'"', b'""', b'"a,b"', b"'", b"nan", b"inf", b"1e400", b"-0", b"0.5", b"1",
    b"2026-11-22T10:00:00Z", b"2026-11-22 10:00:00", b"9999-12-31T23:59:59Z", b"0001-01-01T00:00:00+14:00",
    b"1700000000", b"1700000000000", b"1e18", b"99999999999999999999", b"true", b"no", b"a", b"b", b"a|b", b"[1, 2]",
    b'["a"]', b"{}", b"\xff", b"\xed\xa0\x80", b"\r", b"\0", b"\xef\xbb\xbf", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd",
    b"PAR1", "\u00b2".encode(), "\u0661".encode(), b"x" * 300, b"1_000", b"+5", b"0x10", b"1,5", b" a ", b"9" * 5000,
    b"\xff\xfe", b"\x85",
)  # fmt: skip

CSV: Final = (
    "who,when,shown,offered,p,ps,liked,seen,item\n"
    "ann,1700000000,a,a|b|c,0.5,0.5|0.25|0.25,1,1700000003,a\n"
    'bob,1700000001,b,a|b|c,0.25,0.5|0.25|0.25,0,"",b\n'
    "cyd,1700000002,c,a|b|c,0.25,0.5|0.25|0.25,yes,1700000009,c\n"
)
JSONL: Final = (
    '{"who": "ann", "when": 1700000000.5, "shown": "a", "offered": ["a", "b"], "ps": [0.5, 0.5], "n": {"x": 1}}\n'
    '{"who": "bob", "when": 1700000001, "shown": "b", "offered": ["a", "b"], "ps": [0.5, 0.5], "n": {"x": null}}\n'
)
ITEMS: Final = "item,kind,price\na,odd,1.5\nb,even,2\nc,odd,\n"
ANSWERS: Final = (
    '{"impression": "ann", "signal": "like", "at": 1700000004, "id": "x1"}\n'
    '{"impression": "bob", "signal": "share", "at": 1700000007, "id": "x2"}\n'
)
COMMON: Final = {"model": MODEL, "impression_id": "who", "occurred_at": {"column": "when", "unit": "s"}}


def check(data: bytes) -> None:
    """Read the log, or refuse it."""
    try:
        tree = from_json(data)
        mapping, files = mapping_text(tree["mapping"]), tree["files"]
        named = {name: _content(one) for name, one in files.items() if NAME.fullmatch(name)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
    if named:
        check_replayed(mapping, next(iter(named)), named)


def _content(text: Any) -> bytes:
    """Return what is in a file: characters up to 255 stand for bytes where all are such."""
    try:
        return str(text).encode("latin-1")
    except UnicodeEncodeError:
        return str(text).encode("utf-8", "surrogatepass")


def seeds() -> Iterable[bytes]:
    """Yield good logs of each kind."""
    like = {"signal": "like", "column": "liked", "delay_ms": 500}
    seen = {"signal": "seen", "column": "seen", "present": True, "at": {"column": "seen", "unit": "s"}}
    told = {"signal_from": "answers.signal", "at": {"column": "answers.at", "unit": "s"}, "id": "answers.id"}
    per_row = {"column": "shown", "set": {"column": "offered", "separator": "|"}}
    items = {"items": {"path": "items.csv", "key": "item"}}
    answers = {"answers": {"path": "answers.jsonl", "key": "impression", "on": "who"}}
    skip = {"bad_rows": "skip"}
    yield _packed({"log.csv": CSV}, {"action": {"column": "shown"}, "propensity": "p", "feedback": [like, seen]})
    yield _packed(
        {"log.csv": CSV, "items.csv": ITEMS},
        {"action": per_row, "propensity": {"probabilities": "ps"}, "feedback": [like], "tables": items},
        {"context": {"who": "who", "kind": "items.kind", "price": "items.price"}, "deduplicate": ["who"], **skip},
    )
    yield _packed(
        {"log.jsonl": JSONL, "answers.jsonl": ANSWERS},
        {"action": {"column": "shown", "set": ["a", "b"]}, "propensity": 0.5, "feedback": [told], "tables": answers},
    )
    yield _packed(
        {"log.jsonl": JSONL},
        {"action": {"column": "n.x", "index_from": 0, "set": {"column": "offered"}}, "sorted_by_time": True, **skip},
        {"propensity": {"probabilities": "ps"}, "feedback": [{"signal_from": "who", "delay_ms": 1}]},
        {"context": {"x": {"column": "n.x", "type": "number"}}},
    )
    yield _packed(
        {"log.tsv": CSV.replace(",", "\t")},
        {"action": {"column": "shown", "missing": "x", "first_of": "|"}, "feedback": [like], "quotes": False, **skip},
        {"propensity": {"estimate": "action_frequency"}, "weight": "p", "policy_version": "liked"},
    )


def _packed(files: dict[str, str], *parts: dict[str, Any]) -> bytes:
    mapping = {**COMMON, **{name: value for part in parts for name, value in part.items()}}
    return msgspec.json.encode({"mapping": mapping, "files": files})


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return an input with something in its mapping or in a file of it changed."""
    try:
        tree = from_json(data)
        files = tree["files"]
        if rng.random() < 0.5:
            tree["mapping"] = mutated_tree(tree["mapping"], None, rng, WORDS)
            return as_json(tree, rng)
        name = rng.choice(list(files))
        if rng.random() < 0.05:
            files[rng.choice(("log.csv", "log.tsv", "log.jsonl", "log.csv.gz", "items.csv", "x.parquet"))] = files.pop(
                name
            )
        else:
            files[name] = _mutated_file(_content(files[name]), rng).decode("latin-1")
        return as_json(tree, rng)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return None


def _mutated_file(content: bytes, rng: Random) -> bytes:
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    line = lines[place]
    if line.startswith(b"{") and rng.random() < 0.8:
        lines[place] = mutated_json(line, None, rng, WORDS) or line
    elif rng.random() < 0.7:
        separator = rng.choice((b",", b"\t", b"|", b'"', b":"))
        cells = line.split(separator)
        cells[rng.randrange(len(cells))] = rng.choice(CELLS)
        lines[place] = separator.join(cells)
    elif rng.random() < 0.5:
        lines[place:place] = [line] * rng.choice((1, 2, 70))
    else:
        begin = rng.randint(0, len(content))
        return content[:begin] + rng.choice(CELLS) + content[begin + rng.randint(0, 3) :]
    return b"\n".join(lines)


TARGET: Final = Target("mappings", check, seeds, mutated, 16_384)
