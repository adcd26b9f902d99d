"""Settings: where they come from, which source wins, and what is said about those that cannot work."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from streams.app import create_app
from streams.declared_settings import DeclarationError
from streams.settings import Settings, load_settings

MODELS = '[models.feed]\ndefinitely_negative = ["dislike"]\n'


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without any variable of ours, and leave none behind."""
    import os  # noqa: PLC0415

    for name in os.environ:
        if name.startswith("GROUNDSWELL_") or name == "KAFKA_BOOTSTRAP_SERVERS":
            monkeypatch.delenv(name)
    monkeypatch.setenv("GROUNDSWELL_CONFIG", "")


@pytest.fixture
def loaded(tmp_path: Path) -> Callable[[str], Settings]:
    def load(toml: str) -> Settings:
        path = tmp_path / "groundswell.toml"
        path.write_text(toml)
        return load_settings(path)

    return load


SECRET = "s3cr3t"


@pytest.mark.parametrize(
    "toml",
    [
        f'[serve.tokens.shop]\nsha256 = "{SECRET}"\nmodels = []\n',
        f'[serve.tokens]\nshop = "{SECRET}"\n',
        f'[serve]\ntokens = "{SECRET}"\n',
        f'[serve]\nkey_file = "{SECRET}"\n',
        f'[signatures]\nprivate_key_file = "{SECRET}"\n',
        f'[signatures]\nprivate_key = ["{SECRET}"]\n',
        f'[signatures]\npublic_key_files = "{SECRET}"\n',
        f'signatures = "{SECRET}"\n',
        f'[kafka]\nusername = "u"\npassword = "{SECRET}"\n',
        f'[kafka]\nkey_password_file = "{SECRET}"\n',
        f'[kafka]\nreplication = "{SECRET}"\n',
    ],
)
def test_a_secret_is_not_shown_in_what_is_said_of_it(loaded: Callable[[str], Settings], toml: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        loaded(toml + MODELS)
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("variable", ["SERVE", "SERVE__TOKENS", "SERVE__TOKENS__SHOP", "SIGNATURES", "KAFKA"])
def test_a_variable_whose_json_is_broken_shows_no_secret(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"GROUNDSWELL_{variable}", f"{{'sha256': '{SECRET}'")
    with pytest.raises(DeclarationError, match=variable) as refused:
        load_settings()
    assert SECRET not in str(refused.value)


def test_what_is_no_secret_beside_one_is_shown(loaded: Callable[[str], Settings]) -> None:
    with pytest.raises(DeclarationError, match=r'such as \["feed"\]'):
        loaded(f'[serve.tokens.shop]\nsha256 = "{"0" * 64}"\nmodels = "feed"\n' + MODELS)


def test_a_file_sets_what_it_names_and_leaves_the_rest(loaded: Callable[[str], Settings]) -> None:
    settings = loaded("[join]\nwait = 5\n" + MODELS)
    assert (settings.join.wait, settings.join.grace, settings.http.port) == (5, 30, 6066)
    assert settings.models["feed"].name == "feed"
    assert settings.models["feed"].definitely_negative == {"dislike"}


def test_the_environment_stands_above_the_file(
    loaded: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDSWELL_JOIN__WAIT", "7")
    monkeypatch.setenv("GROUNDSWELL_MODELS__FEED__SEVERAL_SIGNALS", "first")
    settings = loaded("[join]\nwait = 5\ngrace = 1\n" + MODELS)
    assert (settings.join.wait, settings.join.grace) == (7, 1)
    assert settings.models["feed"].several_signals == "first"
    assert settings.models["feed"].definitely_negative == {"dislike"}


def test_everything_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_MODELS__FEED__DEFINITELY_NEGATIVE", '["dislike", "report"]')
    monkeypatch.setenv("GROUNDSWELL_TOPICS__EVENT_PARTITIONS", "12")
    settings = load_settings()
    assert settings.models["feed"].definitely_negative == {"dislike", "report"}
    assert settings.topics.event_partitions == 12


@pytest.mark.parametrize(
    ("own", "common", "used"),
    [
        (None, None, "127.0.0.1:9092"),
        ("own:1", None, "own:1"),
        (None, "common:1,common:2", "common:1,common:2"),
        ("own:1", "common:1", "common:1"),
    ],
)
def test_the_variable_that_others_use_stands_above_our_own(
    monkeypatch: pytest.MonkeyPatch, own: str | None, common: str | None, used: str
) -> None:
    if own:
        monkeypatch.setenv("GROUNDSWELL_KAFKA__BOOTSTRAP_SERVERS", own)
    if common:
        monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", common)
    assert load_settings().kafka.bootstrap_servers == used


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[join]\nwiat = 5", "2: no setting `wiat` in [join]; did you mean `wait`?"),
        ("wait = 5", "1: no setting `wait` at the top; did you mean `wait` in [join]?"),
        ("[join]\ngruop = 'x'", "2: no setting `gruop` in [join]; did you mean `group` in [kafka]?"),
        ("[kafak]\ngroup = 'x'", "1: no table [kafak]; did you mean [kafka]?"),
        ("[models.feed]\ndefinitely_negativ = ['d']", "did you mean `definitely_negative`?"),
        ("[models.feed]\nreward = { rul = 'x' }", "2: no setting `rul` in [models.feed.reward]; did you mean `rule`?"),
        ("[join]\nwait = 0", "2: `wait` in [join] is 0: must be greater than or equal to 0.001"),
        ("[join]\nidle = 0", "2: `idle` in [join] is 0: must be greater than 0"),
        ("[join]\nwait = 0.0001", "2: `wait` in [join]"),
        ("[join]\nwait = inf", "2: `wait` in [join] is inf: must be a finite number"),
        (
            "[join]\nwait = '5 s'",
            '2: `wait` in [join] is "5 s": must be a number, and lengths of time are in seconds: 5',
        ),
        ("[join]\nbackward = 1e9", "2: `backward` in [join]"),
        ("[join]\nremember = inf", "2: `remember` in [join]"),
        ("join = 7", "1: `join` is 7: must be a table, with wait, grace, "),
        ("max_ahead = inf", "1: `max_ahead` is inf: must be a finite number"),
        ("max_ahead = 91", "its feedback would be too early"),
        ("[kafka]\ncompression = 'brotli'", "2: `compression` in [kafka] must be 'gzip', "),
        ("[kafka]\nbootstrap_servers = '127.0.0.1:abc'", "2: `bootstrap_servers` in [kafka]: must be host:port"),
        ("[kafka]\nbootstrap_servers = 'a:1,b:99999'", "2: `bootstrap_servers` in [kafka]: must be host:port"),
        ("[topics]\nevent_partitions = 0", "2: `event_partitions` in [topics] is 0"),
        ("[topics]\nrewards = 'of feed'", "2: `rewards` in [topics]"),
        ("[topics]\nrewards = 'feedback'", "[topics] feedback and rewards are both 'feedback'"),
        ("[http]\nport = 70000", "2: `port` in [http] is 70000: must be less than or equal to 65535"),
        ("[learning]\npublish_seconds = -1", "2: `publish_seconds` in [learning] is -1"),
        ("[models.feed]\ndefinitely_negative = 'd'", 'is "d": must be a list, such as ["d"]'),
        ("[http]\nallowed_hosts = 'a.example'", 'is "a.example": must be a list, such as ["a.example"]'),
        ("[http]\nallowed_hosts = ['b', 'a.example:80']", '"a.example:80" must be a name alone, without scheme, port'),
        ("[http]\nallowed_hosts = ['https://a.example/x']", 'path or pattern, such as "a.example"; "*" stands for any'),
        ("[http]\nallowed_hosts = ['*.example.org']", 'such as "example.org"; "*" stands for any'),
        ("[http]\nallowed_hosts = ['']", '2: `allowed_hosts` in [http]: "" must be a name alone'),
        ("[exploration]\nfloor_in_doubt = 0.2", "1: no table [exploration]; did you mean [models.NAME.exploration]?"),
        ("a = " + "[" * 3_000, "lists or tables lie too deep in one another"),
        ("a = " + "{ b = " * 3_000, "lists or tables lie too deep in one another"),
        ("[models.feed]\nrule = 'x'\ndefinitely_negative = ['d']", "2: no setting `rule` in [models.feed]"),
        ("[models.feed]\nname = 'other'\ndefinitely_negative = ['d']", "[models.feed] calls itself 'other'"),
        ("[models.feed]\nhash_bits = 4\ndefinitely_negative = ['d']", "2: `hash_bits` in [models.feed] is 4"),
        ("[models.feed]\n", "1: [models.feed] neither definitely_negative nor definitely_positive"),
        ("[join]\nwait = three", "2: not valid TOML: Invalid value (at line 2, column 8); text stands in quotation"),
        ("[join]\nwait = 1\nwait = 2\n", "3: not valid TOML"),
        ("[join]\nwait = 1\nmodels.feed]\n", "key/value pair (at line 3, column 12); a table is written [models.feed]"),
        (
            "[models]\ndefinitely_negative = ['d']",
            "2: `definitely_negative` in [models] stands for a model of that",
        ),
        ("model = 'm'\nimpression_id = 'id'\n", "is a mapping of `replay`, which --mapping names"),
    ],
)
def test_what_cannot_work_is_refused_by_line_and_name(loaded: Callable[[str], Settings], toml: str, said: str) -> None:
    with pytest.raises(DeclarationError) as refused:
        loaded(toml)
    assert said in str(refused.value)
    assert "groundswell.toml" in str(refused.value)


def test_hundreds_of_faults_are_found_in_one_reading(
    loaded: Callable[[str], Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    loads = tomllib.loads

    def counted(text: str) -> dict[str, Any]:
        read.append(text)
        return loads(text)

    monkeypatch.setattr(tomllib, "loads", counted)
    with pytest.raises(DeclarationError) as refused:
        loaded("[join]\n" + "".join(f"wiat{number} = 5\n" for number in range(200)))
    assert len(str(refused.value).splitlines()) == 200
    assert len(read) < 2 * 200


def test_each_fault_has_a_line_of_its_own(loaded: Callable[[str], Settings]) -> None:
    with pytest.raises(DeclarationError) as refused:
        loaded("[join]\nwiat = 5\ngrace = -1\n\n[http]\nport = 0\n")
    lines = str(refused.value).splitlines()
    assert sorted(line.split(": ")[0].rpartition(":")[2] for line in lines) == ["2", "3", "6"]


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"GROUNDSWELL_JOIN__WIAT": "5"}, "GROUNDSWELL_JOIN__WIAT: no setting `wiat` in [join]; did you mean `wait`?"),
        (
            {"GROUNDSWELL_JOIN__WAIT": "10m"},
            'GROUNDSWELL_JOIN__WAIT: `wait` in [join] is "10m": must be a number, and lengths of time are in seconds:',
        ),
        ({"GROUNDSWELL_JION__WAIT": "5"}, "GROUNDSWELL_JION__WAIT: no table [jion]; did you mean [join]?"),
        ({"GROUNDSWELL_JOIN": "5"}, "GROUNDSWELL_JOIN: `join` is 5: must be a table"),
        (
            {"GROUNDSWELL_HTTP_PORT": "6070"},
            "GROUNDSWELL_HTTP_PORT: sets nothing; did you mean GROUNDSWELL_HTTP__PORT",
        ),
        ({"GROUNDSWELL_JOIN_WAIT": "5"}, "GROUNDSWELL_JOIN_WAIT: sets nothing; did you mean GROUNDSWELL_JOIN__WAIT,"),
        ({"GROUNDSWELL_LOG_LEVEL": "loud"}, "GROUNDSWELL_LOG_LEVEL: `log_level` is"),
        (
            {"GROUNDSWELL_MODELS__FEED__DEFINITELY_NEGATIVE": "dislike"},
            "GROUNDSWELL_MODELS__FEED__DEFINITELY_NEGATIVE: `definitely_negative` in [models.feed] is",
        ),
        ({"KAFKA_BOOTSTRAP_SERVERS": "here"}, "KAFKA_BOOTSTRAP_SERVERS: `bootstrap_servers` in [kafka]"),
        ({"GROUNDSWELL_KAFKA__BOOTSTRAP_SERVERS": "http://x:1"}, "GROUNDSWELL_KAFKA__BOOTSTRAP_SERVERS: "),
    ],
)
def test_a_variable_that_cannot_work_is_refused_by_its_name(
    monkeypatch: pytest.MonkeyPatch, loaded: Callable[[str], Settings], variables: dict[str, str], said: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(DeclarationError) as refused:
        loaded("[join]\nwait = 5\n" + MODELS)
    assert str(refused.value).startswith(said)


def test_a_variable_that_is_nested_too_deep_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_MODELS", "[" * 50_000)
    with pytest.raises(DeclarationError, match="holds JSON that is nested too deep"):
        load_settings()


def test_variables_that_kubernetes_sets_for_a_service_are_none_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_PORT", "tcp://10.0.0.1:6066")
    monkeypatch.setenv("GROUNDSWELL_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("GROUNDSWELL_HTTP_PORT", "tcp://10.0.0.1:6066")
    assert load_settings().http.port == 6066


def test_a_file_that_is_not_there_or_no_text_is_named(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match=r"missing\.toml: no such file; name one with --config"):
        load_settings(tmp_path / "missing.toml")
    (tmp_path / "groundswell.toml").write_text("")
    with pytest.raises(DeclarationError, match=r"groundswel\.toml: no such file; did you mean 'groundswell\.toml'\?"):
        load_settings(tmp_path / "groundswel.toml")
    with pytest.raises(DeclarationError, match=r"is a folder; name a file in it"):
        load_settings(tmp_path)
    (tmp_path / "log.csv").write_text("id,at\n")
    with pytest.raises(DeclarationError, match=r"log\.csv:1: not valid TOML: .*; name a TOML file, settings with"):
        load_settings(tmp_path / "log.csv")
    wide = tmp_path / "wide.toml"
    wide.write_text("[join]\nwait = 5\n", encoding="utf-16")
    with pytest.raises(DeclarationError, match=r"wide\.toml: is not text in UTF-8"):
        load_settings(wide)
    latin = tmp_path / "latin.toml"
    latin.write_bytes("# größer\n".encode("latin-1"))
    with pytest.raises(DeclarationError, match=r"latin\.toml: is not text in UTF-8"):
        load_settings(latin)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "windows.toml"
    path.write_text("[join]\r\nwait = 5\r\n", encoding="utf-8-sig", newline="")
    assert load_settings(path).join.wait == 5


@pytest.mark.parametrize(("setting", "used"), [("none", None), ("zstd", "zstd"), ("lz4", "lz4")])
def test_compression_reaches_the_producer(monkeypatch: pytest.MonkeyPatch, setting: str, used: str | None) -> None:
    monkeypatch.setenv("GROUNDSWELL_KAFKA__COMPRESSION", setting)
    assert create_app(load_settings()).conf.producer_compression_type == used


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("KAFKA_BOOTSTRAP_SERVER", "KAFKA_BOOTSTRAP_SERVERS"),
        ("KAFKA_BOOSTRAP_SERVERS", "KAFKA_BOOTSTRAP_SERVERS"),
        ("kafka_bootstrap_servers", "KAFKA_BOOTSTRAP_SERVERS"),
        ("GROUNDSWELL_CONFG", "GROUNDSWELL_CONFIG"),
        ("groundswell_config", "GROUNDSWELL_CONFIG"),
        ("GROUNDSWELL_LOGLEVEL", "GROUNDSWELL_LOG_LEVEL"),
        ("GROUNDSWEL_JOIN__WAIT", "GROUNDSWELL_JOIN__WAIT"),
        ("GROUNDSWELL_JOIN_WAITS", "GROUNDSWELL_JOIN__WAIT"),
        ("GROUNDSWELL_KAFKA_BOOTSTRAP_SERVER", "GROUNDSWELL_KAFKA__BOOTSTRAP_SERVERS"),
    ],
)
def test_a_variable_that_is_nearly_one_of_ours_is_said_and_not_passed_over(
    monkeypatch: pytest.MonkeyPatch, variable: str, meant: str
) -> None:
    monkeypatch.delenv("GROUNDSWELL_CONFIG")
    monkeypatch.setenv(variable, f"127.0.0.1:1{SECRET}")
    with pytest.raises(DeclarationError) as refused:
        load_settings()
    assert str(refused.value).startswith(f"{variable}: sets nothing; did you mean {meant}?")
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize(
    "variable",
    [
        "KAFKA_BROKERS", "KAFKA_BOOTSTRAP_SERVICE_HOST", "KAFKA_BOOTSTRAP_SERVERS_SERVICE_PORT", "GROUNDSWELL_DATA",
        "GROUNDSWELL_KAFKA_CACHE", "GROUNDSWELL_PORT", "GROUNDSWELL_SERVE_PORT_6080_TCP_PORT", "_GROUNDSWELL_COMPLETE",
        "GROUNDSWELL_SERVE_SERVICE_HOST", "GROUNDSWELL_IMAGE",
    ],
)  # fmt: skip
def test_variables_of_other_programs_are_none_of_ours(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "10.0.0.1")
    assert load_settings() is not None


def test_a_variable_that_is_nearly_one_of_ours_may_stand_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVER", "10.0.0.1:9092")
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "10.0.0.2:9092")
    assert load_settings().kafka.bootstrap_servers == "10.0.0.2:9092"
