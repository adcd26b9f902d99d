"""What a worker finds out before it starts, and says in words."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from pathlib import Path

import faust
import pytest

from experiments.servers.embedded_broker import EmbeddedBroker
from streams.app import create_app
from streams.settings import HttpSettings, Settings
from streams.worker.process import PageError, PunctualWorker, changed_topics, check_page
from tests.integration.workers import with_topics
from tests.unit.stand_ins import worker_settings


def test_a_port_that_is_taken_is_refused_by_its_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PageError, match=rf"port {port} of 127\.0\.0\.1 is taken.*set http\.port"):
            check_page(HttpSettings(port=port))
    check_page(HttpSettings(port=port))


def test_no_page_is_announced_at_a_port_that_is_taken(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = worker_settings().model_dump() | {"http": {"port": other.getsockname()[1]}}
        monkeypatch.setattr(faust.Worker, "execute_from_commandline", lambda worker: pytest.fail("it starts"))
        with pytest.raises(PageError, match="is taken"):
            PunctualWorker(create_app(Settings.model_validate(taken))).execute_from_commandline()
    assert "page" not in capsys.readouterr().out


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_this_machines_is_refused(host: str) -> None:
    with pytest.raises(PageError, match=r"Set http\.host"):
        check_page(HttpSettings(host=host))


ENDING = """
import atexit
import logging
from types import SimpleNamespace
import faust
from streams.observing.logs import set_up_logs
from streams.settings import KafkaSettings, TopicSettings
from streams.worker.process import PunctualWorker

class Failed(PunctualWorker):
    def __init__(self):
        settings = SimpleNamespace(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1"), topics=TopicSettings())
        self.app = SimpleNamespace(failure="the reason", settings=settings, topic_ids={})

def fail(worker):
    raise RuntimeError("in the course of ending")

faust.Worker.stop_and_shutdown = fail
set_up_logs("INFO", "json")
atexit.register(logging.getLogger("asyncio").error, "Task was destroyed but it is pending!")
Failed().stop_and_shutdown()
"""


def test_the_reason_is_the_last_line_whatever_is_found_unfinished_at_the_end() -> None:
    ended = subprocess.run([sys.executable, "-c", ENDING], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    *_, last = (ended.stdout + ended.stderr).splitlines()
    assert json.loads(last)["message"] == "The worker ends: the reason"


def test_what_fails_where_topics_are_other_ones_is_said_to_come_of_that(tmp_path: Path) -> None:
    def reason(servers: str, event_partitions: int, **names: str) -> str:
        kafka, topics = {"bootstrap_servers": servers}, {"event_partitions": event_partitions, **names}
        settings = Settings.model_validate(worker_settings().model_dump() | {"kafka": kafka, "topics": topics})
        return str(asyncio.run(changed_topics(create_app(settings))))

    with EmbeddedBroker(tmp_path / "broker") as broker:
        servers = with_topics(broker.bootstrap_servers)
        partitions = worker_settings().topics.event_partitions
        assert reason(servers, partitions) == "None"
        assert f"expected {partitions + 1}" in reason(servers, partitions + 1)
        assert f"the topic none no longer exists at {servers}" in reason(servers, partitions, rewards="none")
    assert reason(servers, partitions + 1) == "None", "a broker that is gone says nothing of topics"
