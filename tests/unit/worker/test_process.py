"""What a worker finds out before it starts, and says in words."""

from __future__ import annotations

import json
import socket
import subprocess
import sys

import pytest

from streams.settings import HttpSettings
from streams.worker.process import PageError, check_page


def test_a_port_that_is_taken_is_refused_by_its_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PageError, match=rf"port {port} of 127\.0\.0\.1 is taken.*set http\.port"):
            check_page(HttpSettings(port=port))
    check_page(HttpSettings(port=port))


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
from streams.worker.process import PunctualWorker

class Failed(PunctualWorker):
    def __init__(self):
        self.app = SimpleNamespace(failure="the reason")

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
