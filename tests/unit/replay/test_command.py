"""`groundswell replay --check`: what it prints of a log, and how it ends. Each case is one kind of file."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pytest
from typer.testing import CliRunner

from streams.cli import cli

MAPPING = """
model = "m"
impression_id = "id"
propensity = "p"
occurred_at = { column = "ts", unit = "ms" }
action = { column = "act", set = ["a", "b", "c"] }
"""
CLICK = '[[feedback]]\nsignal = "click"\ncolumn = "click"\ndelay_ms = 1000\n'
DSJSON = """
format = "dsjson"
model = "m"
action_id = "TAction.id"
signals = [{ signal = "click", above = 0 }]
"""
AT = 1_700_000_000_000
DECISION = {
    "EventId": "e1",
    "Timestamp": "2025-11-22T10:00:00.0000000Z",
    "a": [2, 1],
    "p": [0.5, 0.5],
    "c": {"_multi": [{"TAction": {"id": "tea"}}, {"TAction": {"id": "milk"}}]},
    "o": [{"v": 1.0}],
}


class Printed(NamedTuple):
    """How a command ended, and all that it printed."""

    code: int
    text: str


def check(folder: Path, name: str, content: str | bytes, mapping: str, *options: str) -> Printed:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (folder / "mapping.toml").write_text(mapping)
    (folder / "groundswell.toml").write_text('[models.m]\ndefinitely_negative = ["dislike"]\n')
    files = [str(folder / name), "--mapping", str(folder / "mapping.toml")]
    configuration = () if "--config" in options else ("--config", str(folder / "groundswell.toml"))
    ended = CliRunner().invoke(cli, ["replay", *files, "--check", *configuration, *options])
    assert ended.exception is None or isinstance(ended.exception, SystemExit), "a traceback"
    return Printed(ended.exit_code, ended.output)


def rows(*titles: str, separator: str = ",") -> str:
    lines = [["id", "ts", "act", "p", "click", "title"]]
    lines += [[f"i{n}", str(AT + n), "abc"[n % 3], "0.3333", str(n % 2), title] for n, title in enumerate(titles)]
    return "".join(separator.join(line) + "\n" for line in lines)


def test_tsv_with_stray_quotation_marks_is_read_whole(tmp_path: Path) -> None:
    content = rows('24" lamp', "plain", '"Best of', "plain", separator="\t")
    printed = check(tmp_path, "log.tsv", content, MAPPING + CLICK)
    assert printed.code == 0
    assert "4 impressions of 4 rows" in printed.text
    assert "4 rows = 4 impressions + 0 repeated + 0 left out" in printed.text
    assert "nothing was sent" in printed.text


def test_csv_with_a_stray_quotation_mark_names_its_line(tmp_path: Path) -> None:
    content = rows('24" lamp', "plain", '"Best of', "plain")
    stopped = check(tmp_path, "log.csv", content, MAPPING + CLICK)
    assert stopped.code == 2
    assert "log.csv, line 4: quotes: a quotation mark opens a value" in stopped.text
    assert "4 rows = 3 impressions + 0 repeated + 1 left out" in stopped.text
    skipped = check(tmp_path, "log.csv", content, f'bad_rows = "skip"\n{MAPPING}{CLICK}')
    assert skipped.code == 0
    assert "3 impressions of 4 rows (0 repeated, 1 left out)" in skipped.text
    assert "left out, 1 row: log.csv, line 4: quotes" in skipped.text


def test_a_compressed_file_that_was_cut_is_refused(tmp_path: Path) -> None:
    content = gzip.compress(rows(*map(str, range(1_000))).encode())[:-20]
    printed = check(tmp_path, "log.csv.gz", content, f'bad_rows = "skip"\n{MAPPING}{CLICK}')
    assert printed.code == 2
    assert "log.csv.gz: the compressed file is cut off after line" in printed.text


def test_lists_of_signals_are_signals(tmp_path: Path) -> None:
    lines = [
        {"id": "i1", "ts": AT, "act": "a", "p": 0.3333, "signals": ["click", "like"]},
        {"id": "i2", "ts": AT + 1, "act": "b", "p": 0.3333, "signals": []},
    ]
    printed = check(
        tmp_path,
        "log.jsonl",
        "\n".join(map(json.dumps, lines)),
        MAPPING + '[[feedback]]\nsignal_from = "signals"\ndelay_ms = 1\n',
    )
    assert "2 impressions of 2 rows" in printed.text
    assert "feedback {'click': 1, 'like': 1}, unanswered 1" in printed.text


def test_feedback_in_a_second_file_is_told_apart(tmp_path: Path) -> None:
    (tmp_path / "clicks.csv").write_text(f"of,kind,at\ni0,click,{AT + 5}\ni0,click,{AT + 5}\nnobody,click,{AT}\n")
    mapping = (
        MAPPING
        + '[tables.clicks]\npath = "clicks.csv"\nkey = "of"\non = "id"\n'
        + '[[feedback]]\nsignal_from = "clicks.kind"\nat = { column = "clicks.at", unit = "ms" }\n'
    )
    printed = check(tmp_path, "log.csv", rows("x", "y"), mapping)
    assert "feedback {'click': 1}, unanswered 1" in printed.text
    assert "clicks.csv: 3 rows = 2 of impressions replayed + 1 of none + 0 left out; 1 repeat" in printed.text


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("[checkpoint]", "line 2: line: no JSON"),
        (json.dumps(DECISION | {"pdrop": "none"}), "line 2: pdrop"),
        (json.dumps({"EventId": "e2", "Timestamp": "2025-11-22T10:00:00Z", "c": {}, "_label_ca": {}}), "continuous"),
        (json.dumps(DECISION | {"EventId": "e2", "_outcomes": {}, "c": {"_slots": [{}, {}]}}), "a decision over slots"),
        (json.dumps({"EventId": "e9", "RewardValue": 1.0}), "line 2: without a decision"),
        (json.dumps(DECISION | {"EventId": "e2", "_skipLearn": True}), "line 2: never shown"),
    ],
)
def test_dsjson_lines_without_a_decision_are_counted(tmp_path: Path, line: str, reason: str) -> None:
    line = line.replace('"e1"', '"e2"')
    printed = check(tmp_path, "log.json", f"{json.dumps(DECISION)}\n{line}\n", f'bad_rows = "skip"\n{DSJSON}')
    assert printed.code == 0
    assert "1 impression of 2 rows (0 repeated, 1 left out), feedback {'click': 1}" in printed.text
    assert reason in printed.text


@pytest.mark.parametrize(
    ("name", "content", "mapping"),
    [
        ("log.csv", "id,ts,act,p,click\n", MAPPING + CLICK),
        ("log.csv", "id,ts,act,p,click\n\n\n", MAPPING + CLICK),
        ("log.tsv", "id\tts\tact\tp\tclick\n", MAPPING + CLICK),
        ("log.csv.gz", gzip.compress(b"id,ts,act,p,click\n"), MAPPING + CLICK),
        ("log.jsonl", "", MAPPING + CLICK),
        ("log.jsonl", "\n \n", MAPPING + CLICK),
        ("log.json", "", DSJSON),
        ("log.json", "\n", f'bad_rows = "skip"\n{DSJSON}'),
    ],
)
def test_a_file_without_rows_is_no_log(tmp_path: Path, name: str, content: str | bytes, mapping: str) -> None:
    printed = check(tmp_path, name, content, mapping)
    assert printed.code == 2
    assert f"{name}: has no rows, so there is nothing to replay" in printed.text.replace("\n", "")


@pytest.mark.parametrize("skip", ['bad_rows = "skip"', ""])
@pytest.mark.parametrize(
    ("name", "content", "mapping", "reason"),
    [
        ("log.csv", rows("x", "y").replace("0.3333", "2"), MAPPING + CLICK, "propensity: "),
        ("log.jsonl", "no JSON\n", MAPPING + CLICK, "line: no JSON"),
        ("log.json", '{"_label_cost": 1}\n', DSJSON, "left out, 1 row: log.json, line 1"),
    ],
)
def test_a_log_of_which_no_row_is_left_is_nothing_to_replay(
    tmp_path: Path, name: str, content: str, mapping: str, reason: str, skip: str
) -> None:
    printed = check(tmp_path, name, content, f"{skip}\n{mapping}")
    assert printed.code == 2
    assert reason in printed.text
    assert "= 0 impressions + 0 repeated + " in printed.text
    if skip:
        assert f"{name}: no impression is left of " in printed.text


@pytest.mark.parametrize(
    ("name", "good", "twice", "mapping"),
    [
        (
            "log.jsonl",
            f'{{"id":"i1","ts":{AT},"act":"a","p":0.3333,"click":1,"click":1}}',
            f'{{"id":"i2","ts":{AT},"act":"a","p":0.3333,"click":0,"click":1}}',
            MAPPING + CLICK,
        ),
        (
            "log.json",
            json.dumps(DECISION),
            json.dumps(DECISION).replace('"e1"', '"e2"').replace('"id": "tea"', '"id": "tea", "id": "coffee"'),
            DSJSON,
        ),
    ],
)
def test_a_line_in_which_a_name_has_two_values_is_wrong(
    tmp_path: Path, name: str, good: str, twice: str, mapping: str
) -> None:
    stopped = check(tmp_path, name, f"{good}\n{twice}\n", mapping)
    assert stopped.code == 2
    assert f"{name}, line 2: line: " in stopped.text
    assert "stands there twice, as " in stopped.text
    skipped = check(tmp_path, name, f"{good}\n{twice}\n", f'bad_rows = "skip"\n{mapping}')
    assert "2 rows = 1 impression + 0 repeated + 1 left out" in skipped.text


def test_a_parquet_file_without_rows_is_no_log(tmp_path: Path) -> None:
    types = {"id": pl.String, "ts": pl.Int64, "act": pl.String, "p": pl.Float64, "click": pl.Int64}
    pl.DataFrame(schema=types).write_parquet(tmp_path / "empty.parquet")
    printed = check(tmp_path, "log.parquet", (tmp_path / "empty.parquet").read_bytes(), MAPPING + CLICK)
    assert (printed.code, "has no rows" in printed.text) == (2, True)


def test_a_log_that_reads_right_and_teaches_nothing_is_told(tmp_path: Path) -> None:
    mapping = MAPPING.replace("model =", 'context = { size = "size" }\nmodel =')
    lines = rows("x", "y", "z").splitlines()
    content = "\n".join([f"{lines[0]},size", *(f"{line}," for line in lines[1:])])
    printed = check(tmp_path, "log.csv", content, mapping + CLICK.replace("delay_ms", "above = 7\ndelay_ms"))
    assert printed.code == 0
    assert "3 rows = 3 impressions" in printed.text
    assert "look at this: context.size: not one impression has it" in printed.text
    assert "look at this: feedback: nothing comes back to any impression" in printed.text


def test_definite_signals_that_never_come_are_told_with_those_that_do(tmp_path: Path) -> None:
    printed = check(tmp_path, "log.csv", rows("x", "y"), MAPPING + CLICK)
    assert "none of the definite signals of the configuration (dislike) comes back" in printed.text
    assert "there are click" in printed.text
    part = check(tmp_path, "log.csv", rows("x", "y"), MAPPING + CLICK, "--limit", "2")
    assert "definite signals" not in part.text


def test_times_that_the_worker_would_refuse_stop_it(tmp_path: Path) -> None:
    printed = check(tmp_path, "log.csv", rows("x").replace(str(AT), "2082758400000"), MAPPING + CLICK)
    assert printed.code == 2
    assert "log.csv, line 2: occurred_at: 2036-01-01T00:00:00+00:00 lies in the future" in printed.text


def test_a_model_that_the_configuration_lacks_stops_it(tmp_path: Path) -> None:
    printed = check(tmp_path, "log.csv", rows("x"), MAPPING.replace('"m"', '"shop"') + CLICK)
    assert printed.code == 2
    assert "the configuration has no model 'shop', it has m" in printed.text


def test_without_models_in_the_configuration_a_log_can_be_checked(tmp_path: Path) -> None:
    (tmp_path / "empty.toml").write_text("")
    printed = check(tmp_path, "log.csv", rows("x"), MAPPING + CLICK, "--config", str(tmp_path / "empty.toml"))
    assert printed.code == 0


@pytest.mark.parametrize(
    ("mapping", "says"),
    [
        ("mappin.toml", "mappin.toml: no such file; did you mean 'mapping.toml'?"),
        ("log.csv", "log.csv:1: not valid TOML: "),
        ("log.csv", "name a TOML file, settings with --config and a mapping with --mapping"),
        ("groundswell.toml", "groundswell.toml: holds settings, which --config names; --mapping names what each"),
    ],
)
def test_a_file_in_the_place_of_the_mapping_is_told_for_what_it_is(tmp_path: Path, mapping: str, says: str) -> None:
    check(tmp_path, "log.csv", rows("x"), MAPPING + CLICK)
    ended = CliRunner().invoke(
        cli, ["replay", str(tmp_path / "log.csv"), "--mapping", str(tmp_path / mapping), "--check"]
    )
    assert ended.exit_code == 2
    assert says in ended.output


def test_percent_are_told(tmp_path: Path) -> None:
    printed = check(tmp_path, "log.csv", rows("x").replace("0.3333", "33%"), MAPPING + CLICK)
    assert "'33%' is not a number; write 0.5 for 50%" in printed.text
    printed = check(tmp_path, "log.csv", rows("x").replace("0.3333", "33"), MAPPING + CLICK)
    assert "write 0.5 for 50 %" in printed.text


@pytest.mark.parametrize("options", [("--anyway",), ("--speed", "5")])
def test_options_about_sending_contradict_a_check(tmp_path: Path, options: tuple[str, ...]) -> None:
    printed = check(tmp_path, "log.csv", rows("a"), MAPPING + CLICK, *options)
    assert printed.code == 2
    assert f"{options[0]} is about what is sent, and --check sends nothing" in printed.text.replace("\n", " ")
