"""Under which names the pages are answered."""

from __future__ import annotations

import pytest

from experiments.fuzz import pages
from streams.host_names import is_allowed

ALLOWED = frozenset({"groundswell.example.com"})


@pytest.mark.parametrize(
    "host",
    [
        None, "127.0.0.1:6066", "10.1.2.3", "[::1]:6066", "[fe80::1]", "localhost", "localhost:8080", "worker:6066",
        "worker", "a.localhost", "box.local", "gw.internal:6066", "w.groundswell.svc", "w.x.svc.cluster.local",
        "groundswell.example.com", "GROUNDSWELL.example.com.:443",
    ],
)  # fmt: skip
def test_addresses_and_names_that_nobody_can_register_are_answered(host: str | None) -> None:
    assert is_allowed(host, ALLOWED)


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:6066", "127.0.0.1.evil.example", "xlocalhost.eu", "example.com", "", ":6066"],
)
def test_line_12_other_names_are_not(host: str) -> None:
    assert not is_allowed(host, ALLOWED)
    assert is_allowed(host, frozenset({"*"}))


@pytest.mark.parametrize("path", [b"/healthz", b"/no-such-page"])
@pytest.mark.parametrize("expected", [b"100-continue", b"\xff", b"", b"x"])
def test_who_asks_whether_a_body_is_welcome_is_told_that_it_is_not_and_nothing_is_logged(
    path: bytes, expected: bytes
) -> None:
    request = b"GET %b HTTP/1.1\r\nHost: localhost\r\nExpect: %b\r\nContent-Length: 5\r\n\r\n" % (path, expected)
    assert pages.answered(request).startswith(b"HTTP/1.1 417 ")
    pages.check(request)


@pytest.mark.parametrize("path", [b"/page", b"/metrics/", b"/%2e%2e/etc/passwd", b"/%ZZ", b"//"])
def test_who_asks_for_no_page_is_told_which_there_are(path: bytes) -> None:
    came = pages.answered(b"GET %b HTTP/1.1\r\nHost: localhost\r\n\r\n" % path)
    assert came.startswith(b"HTTP/1.1 404 ")
    assert b"there is no such page, but /, /healthz, /live.json, /metrics, " in came
