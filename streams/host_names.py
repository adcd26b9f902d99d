"""Under which names HTTP is answered.

A page in a browser may be sent here under a name that somebody else gave this address (DNS rebinding): a name that
anybody can register has a dot in it, so such names have to be among those that are allowed (`http.allowed_hosts`,
`serve.allowed_hosts`).
"""

from __future__ import annotations

import ipaddress
from typing import Final

OURS: Final = (".localhost", ".local", ".internal", ".svc", ".cluster.local")
"""Ends of names that nobody can register."""
ANY: Final = "*"


def is_allowed(host: str | None, allowed: frozenset[str]) -> bool:
    """Say whether a request under this name (the header `Host`) is answered: an address or a name of our own.

    Probes and Prometheus ask by address, browsers before a tunnel by `localhost`, containers by a name without a dot.
    """
    if host is None or ANY in allowed:
        return True
    name = host.rpartition("]")[0].lstrip("[") if host.startswith("[") else host.partition(":")[0]
    name = name.rstrip(".").lower()
    if name in allowed or name.endswith(OURS) or (name and "." not in name and ":" not in name):
        return True
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def is_loopback(host: str) -> bool:
    """Say whether a server that binds this address is reached from its own machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
