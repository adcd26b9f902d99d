"""What a worker finds out before it starts, and says in words."""

from __future__ import annotations

import socket

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
