"""Settings: where they come from, which source wins, and what is said about those that cannot work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from streams.app import create_app
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
    ("toml", "named"),
    [
        ("[join]\nwiat = 5", "join.wiat"),
        ("[join]\nwait = 0", "join.wait"),
        ("[join]\nidle = 0", "join.idle"),
        ("[join]\nwait = 0.0001", "join.wait"),
        ("[join]\nwait = inf", "join.wait"),
        ("[join]\nbackward = 1e9", "join.backward"),
        ("[join]\nremember = inf", "join.remember"),
        ("max_ahead = inf", "max_ahead"),
        ("max_ahead = 91", "its feedback would be too early"),
        ("[kafka]\ncompression = 'brotli'", "kafka.compression"),
        ("[topics]\nevent_partitions = 0", "topics.event_partitions"),
        ("[http]\nport = 70000", "http.port"),
        ("[learning]\npublish_seconds = -1", "learning.publish_seconds"),
        ("[kafak]\ngroup = 'x'", "kafak"),
        ("[models.feed]\nrule = 'x'\ndefinitely_negative = ['d']", "models.feed.rule"),
        ("[models.feed]\nname = 'other'\ndefinitely_negative = ['d']", r"\[models.feed\]"),
        ("[models.feed]\nhash_bits = 4\ndefinitely_negative = ['d']", "models.feed.hash_bits"),
        ("[models.feed]\n", "definitely_negative"),
    ],
)
def test_what_cannot_work_is_refused_by_name(loaded: Callable[[str], Settings], toml: str, named: str) -> None:
    with pytest.raises(ValidationError, match=named):
        loaded(toml)


def test_a_misspelt_variable_is_refused_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_JOIN__WIAT", "5")
    with pytest.raises(ValidationError, match=r"join\.wiat"):
        load_settings()


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"missing\.toml"):
        load_settings(tmp_path / "missing.toml")


@pytest.mark.parametrize(("setting", "used"), [("none", None), ("zstd", "zstd"), ("lz4", "lz4")])
def test_compression_reaches_the_producer(monkeypatch: pytest.MonkeyPatch, setting: str, used: str | None) -> None:
    monkeypatch.setenv("GROUNDSWELL_KAFKA__COMPRESSION", setting)
    assert create_app(load_settings()).conf.producer_compression_type == used
