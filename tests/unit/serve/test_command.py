"""`groundswell serve` on the command line: what it begins with, and what it says of where it is."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from typer.testing import CliRunner

from experiments.demo.cluster import learning
from experiments.servers.embedded_broker import free_port
from groundswell.client.reaching import UNREACHABLE
from processors.models.config import ModelConfig
from streams.cli import cli
from streams.kafka.security import SecurityError
from streams.observing.logs import set_up_logs
from streams.serve import command, server
from streams.serve.deciders import Deciders
from streams.settings import KafkaSettings, Settings, load_settings
from tests.factories import models

CONFIG = """
[models.shop]
definitely_negative = ["return"]
several_signals = "first"
context_crosses = false

[serve]
requests_per_second = 7
"""


class Started(NamedTuple):
    settings: Settings
    page: str = "http://127.0.0.1:7001"
    for_others: str = "export KAFKA_BOOTSTRAP_SERVERS=127.0.0.1:7002 GROUNDSWELL_KAFKA__GROUP=groundswell"


@pytest.fixture
def begun(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Let the demo begin, and the server end, at once; hold what they were given."""
    given: list[Any] = []

    class Entry:
        @contextmanager
        def load_(
            self, folder: Path, log: Path, chosen: Mapping[str, ModelConfig], *, own_broker: bool
        ) -> Iterator[Started]:
            assert own_broker, "whatever the environment says"
            given.append(sorted(chosen))
            yield Started(Settings(models=chosen or models("three-state")))

        def load(self) -> Any:
            return self.load_

    def serves(settings: Settings, listener: socket.socket, say_where: Any) -> None:
        say_where()
        given.append((sorted(settings.models), settings.serve.requests_per_second))

    monkeypatch.setattr(command, "entry_points", lambda group: [Entry()])
    monkeypatch.setattr(server, "serve", serves)
    monkeypatch.setenv("GROUNDSWELL_SERVE__PORT", str(free_port()))
    return given


def test_the_demo_learns_and_serves_the_models_of_the_configuration_and_says_where_all_is(
    begun: list[Any], tmp_path: Path
) -> None:
    config = tmp_path / "groundswell.toml"
    config.write_text(CONFIG)
    result = CliRunner().invoke(cli, ["serve", "--demo", "--config", str(config)])
    assert result.exit_code == 0, result.output
    assert begun == [["shop"], (["shop"], 7)]
    assert "page: http://127.0.0.1:7001/\n" in result.output
    assert f"the broker, for other commands: {Started(Settings()).for_others}\n" in result.output
    assert '/v1/rank -d \'{"model": "shop"' in result.output


def test_without_a_configuration_the_demo_has_a_model_of_its_own(begun: list[Any]) -> None:
    result = CliRunner().invoke(cli, ["serve", "--demo"])
    assert result.exit_code == 0, result.output
    assert begun[0] == []
    assert begun[1][0] == ["three-state"]


@pytest.mark.parametrize("options", [[], ["--demo"]])
def test_a_port_that_is_taken_is_said_before_anything_begins(
    options: list[str], begun: list[Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "groundswell.toml"
    config.write_text(CONFIG)
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("GROUNDSWELL_SERVE__PORT", str(port))
        result = CliRunner().invoke(cli, ["serve", "--config", str(config), *options])
    assert result.exit_code == 2
    assert f"127.0.0.1:{port} cannot be listened at" in result.output
    assert "Set serve.host and serve.port" in " ".join(result.output.split())
    assert begun == []


def test_the_worker_of_the_demo_takes_the_models_as_they_are_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "groundswell.toml"
    config.write_text(CONFIG)
    own = load_settings(config).models
    for name, value in learning(tmp_path, own).items():
        monkeypatch.setenv(name, value)
    settings = load_settings()
    assert settings.models == own
    assert settings.join.wait == 1  # of the demo, so that it can be watched


def test_why_kafka_lets_nobody_in_is_known_from_the_start(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refused(kafka: KafkaSettings, patience: float) -> None:
        raise SecurityError("Kafka refuses user 'app'")

    monkeypatch.setattr(server, "check_connection", refused)
    deciders = Deciders(Settings(models=models("feed")), {})
    server.look_for_kafka(KafkaSettings(), deciders)
    assert deciders.unreached == "Kafka refuses user 'app'; trying again"
    assert "Kafka cannot be reached: Kafka refuses user 'app'" in caplog.text


def test_what_the_clients_of_all_models_say_of_kafka_is_written_once_until_logs_are_set_up_anew(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def says_twice() -> None:
        for why in ("no broker answers at a:1", "no broker answers at a:1 (timed out)"):
            logging.getLogger("groundswell.client.policies").warning(UNREACHABLE, why)
        logging.getLogger("groundswell.client.event_log").warning("not written: it was closed")
        for _ in range(2):
            logging.getLogger("streams.elsewhere").warning("twice of another")

    for _ in range(2):
        set_up_logs("INFO", "json", "stderr")
        server.say_seldom()
        says_twice()
        said = capsys.readouterr().err
        assert [said.count(one) for one in ("cannot be reached", "not written", "twice of another")] == [1, 1, 2]
