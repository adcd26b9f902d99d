"""The command line is made of what is installed, is quick to start, and names the extra that a command needs."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest
from kafka.errors import PolicyViolationError
from typer.testing import CliRunner

from streams import command_line
from streams.cli import COMMANDS, ORDER, cli, collected
from streams.command_line import extra_with
from streams.kafka.topics import TopicError

HEAVY = {"faust", "kafka", "matplotlib", "msgspec", "numba", "numpy", "polars", "pydantic", "river"}


def test_every_command_that_is_declared_has_its_place() -> None:
    assert {entry.name for entry in entry_points(group=COMMANDS)} == set(ORDER)


def test_help_names_all_commands_in_order_whatever_the_order_of_the_declarations(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    declared = list(entry_points(group=COMMANDS))
    for given in (declared, declared[::-1]):
        monkeypatch.setattr("streams.cli.entry_points", lambda *, group, given=given: given)
        output = CliRunner().invoke(collected(), ["--help"]).output
        places = [output.index(f"│ {name} ") for name in ORDER]
        assert places == sorted(places)


@pytest.mark.parametrize("command", [[], ["worker"], ["policy"], ["policy", "ask"], ["bench", "join"]])
def test_h_is_help_everywhere(command: list[str]) -> None:
    short, long = (CliRunner().invoke(cli, [*command, option]) for option in ("-h", "--help"))
    assert short.exit_code == 0
    assert short.output == long.output
    assert "Usage: " in short.output


def test_the_version_is_the_installed_one() -> None:
    result = CliRunner().invoke(cli, ["--version"])
    assert (result.exit_code, result.output) == (0, f"groundswell {version('groundswell')}\n")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_complete_commands(shell: str) -> None:
    environment = {
        "_GROUNDSWELL_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": "groundswell dead",
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
        "COMP_WORDS": "groundswell dead",
        "COMP_CWORD": "1",
    }
    result = CliRunner().invoke(cli, [], env=environment, prog_name="groundswell")
    assert "dead-letters" in result.output


def test_nothing_heavy_is_imported_before_a_command_runs() -> None:
    program = "import sys, streams.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert not HEAVY & set(done.stdout.split())


def test_a_command_says_which_extra_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vowpalwabbit", None)
    monkeypatch.delitem(sys.modules, "experiments.papers.vowpal", raising=False)
    result = CliRunner().invoke(cli, ["bench", "learner"])
    assert result.exit_code == 2
    assert result.output == (
        'groundswell: bench learner needs vowpalwabbit: pip install "groundswell[bench]", '
        "in a checkout pip install '.[bench]'\n"
    )


def test_what_no_extra_brings_is_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "experiments.bench.learner", None)
    result = CliRunner().invoke(cli, ["bench", "learner"])
    assert isinstance(result.exception, ModuleNotFoundError)


def test_what_kafka_refuses_is_said_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PolicyViolationError("retention is limited to a day")

    monkeypatch.setattr("streams.kafka.topics.create_topics", refuse)
    result = CliRunner().invoke(cli, ["topics", "create"])
    assert result.exit_code == 2
    assert result.output.startswith("groundswell: Kafka: ")
    assert "retention is limited to a day" in result.output


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (["worker", "groundswell.toml"], "did you mean --config groundswell.toml?"),
        (["topics", "create", "groundswell.toml"], "did you mean --config groundswell.toml?"),
        (["--config", "groundswell.toml", "worker"], "it goes after the command: groundswell COMMAND --config FILE"),
        (["-c", "groundswell.toml", "worker"], "it goes after the command"),
        (["topics", "--config", "groundswell.toml", "create"], "topics COMMAND --config FILE"),
        (["worker", "now"], "unexpected extra argument"),
        (["replay", __file__, __file__, "--mapping", "m"], "; give one file to each call, the oldest first"),
        (["--nope"], "No such option"),
    ],
)
def test_a_configuration_in_the_wrong_place_is_told_where_it_goes(
    command: list[str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    result = CliRunner().invoke(cli, command, prog_name="groundswell")
    assert result.exit_code == 2
    assert said in " ".join(result.output.split()), result.output
    assert ("--config FILE" in result.output) == ("--config FILE" in said or command[0] == "-c")


def test_a_command_that_is_advised_can_be_pasted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    advice = (
        "run `groundswell topics create`, `groundswell keys create` or `groundswell control set feed --mode online`"
    )

    def refuse(*_: object) -> None:
        raise TopicError(advice)

    monkeypatch.setattr("streams.kafka.topics.create_topics", refuse)
    config = tmp_path / "my models.toml"
    config.write_text("")
    told = CliRunner().invoke(cli, ["topics", "create", "--config", str(config)]).output
    assert f"`groundswell topics create --config '{config}'`, `groundswell keys create` or `groundswell control" in told
    assert f"--mode online --config '{config}'`" in told
    monkeypatch.setenv("GROUNDSWELL_CONFIG", str(config))
    assert advice in CliRunner().invoke(cli, ["topics", "create"]).output  # which the pasted one has as well


@pytest.mark.parametrize(
    "command",
    [
        ["worker"],
        ["doctor"],
        ["topics", "create"],
        ["redecode", "--model", "feed"],
        ["simulate", "--bootstrap-servers", "127.0.0.1:1"],
    ],
)
def test_settings_that_cannot_work_are_refused_by_every_command_alike(
    command: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDSWELL_JOIN__WIAT", "5")
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 2
    assert result.output == ("groundswell: GROUNDSWELL_JOIN__WIAT: no setting `wiat` in [join]; did you mean `wait`?\n")


@pytest.mark.parametrize(
    "command",
    [
        ["demo", "--interactions", "500", "--out", "file"],
        ["demo", "--interactions", "500", "--out", "file/below"],
        ["evaluate", "three-state", "--seeds", "1", "--out", "file/below"],
        ["kafka", "--port", "19093", "--directory", "file/below"],
        ["keys", "create", "--out", "file/below"],
    ],
    ids=" ".join,
)
def test_a_place_where_nothing_can_be_written_is_named_before_anything_begins(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 2, result.output
    assert isinstance(result.exception, SystemExit)
    assert "file" in result.output
    assert "name a" in result.output.replace("\n", " ")


def test_a_file_that_may_not_be_read_is_named_with_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    (tmp_path / "key").touch()
    monkeypatch.setenv("GROUNDSWELL_SIGNATURES__PRIVATE_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setattr(Path, "read_bytes", refuse)
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 2
    assert "key: cannot be used (Permission denied): name a place" in result.output


def test_a_model_that_is_not_configured_is_told_before_anything_else() -> None:
    result = CliRunner().invoke(cli, ["redecode", "--model", "fede"])
    assert result.exit_code == 2
    assert "no model is configured: name the file that has [models.fede] (--config, or GROUNDSWELL_CONFIG)" in (
        result.output
    )


def test_people_who_are_indifferent_to_nothing_are_not_simulated() -> None:
    command = ["simulate", "--bootstrap-servers", "127.0.0.1:1", "--enjoyed", "6", "--hated", "5"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 2
    assert result.output.startswith("groundswell: --enjoyed 6 and --hated 5: of 11 actions one has to be left")


@pytest.mark.parametrize("speed", ["fast", "0", "-1", "inf", "nan"])
def test_a_speed_that_is_none_is_refused(speed: str, tmp_path: Path) -> None:
    file = tmp_path / "any"
    file.touch()
    result = CliRunner().invoke(cli, ["replay", str(file), "--mapping", str(file), "--speed", speed])
    assert result.exit_code == 2
    assert "must be a multiple of real time above 0" in result.output


@pytest.mark.parametrize(
    ("module", "command", "extra"),
    [
        pytest.param("confluent_kafka", (), "bench", id="a module is spelt with _, its distribution with -"),
        pytest.param("matplotlib", ("evaluate",), "demo", id="the first that has it"),
        pytest.param("matplotlib", ("bench", "learner"), "bench", id="named as the command: it has all of it, at once"),
        pytest.param("hypothesis", (), "dev", id="for whoever works on it"),
        pytest.param("msgspec", ("bench",), None, id="always installed"),
        pytest.param("unheard_of", ("bench",), None, id="not ours"),
        pytest.param("", (), None, id="no module is named"),
    ],
)
def test_the_extra_of_a_module_is_read_from_what_is_installed(
    module: str, command: tuple[str, ...], extra: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    declared = [
        'matplotlib>=3; extra == "demo"', 'worker[demo]; extra == "bench"', 'confluent-kafka>=2.12; extra == "bench"',
        "msgspec>=0.19", "hypothesis>=6; extra == 'dev'",
    ]  # fmt: skip
    monkeypatch.setattr(command_line, "requires", lambda distribution: declared)
    assert extra_with(module, command) == extra
