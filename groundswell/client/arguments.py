"""Arguments of kafka-python's clients: those that an app needs by default, and those that it was given."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any, Final

PATIENCE: Final = {"reconnect_backoff_max_ms": 2_000}
"""How long a broker that is gone is left alone before it is tried again; by default it may be 30 s."""


_SERVER: Final = re.compile(r"\s*(\w+://)?([^\s:/]+|\[[0-9a-fA-F:.]+\])(:\d{1,5})?\s*").fullmatch

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}").fullmatch


def checked(client: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for a client.

    Raises:
        TypeError: it does not know one.
        ValueError: the addresses of brokers are none.
    """
    # Here, where the mistake was made, and not in a thread later.
    known = client.DEFAULT_CONFIG
    for name in arguments:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{client.__name__} of kafka-python has no argument {name!r}{hint}")
    _check_servers(arguments["bootstrap_servers"])
    return dict(arguments)


def check_topics(**topics: Any) -> None:
    """Raise ValueError where one of these is no name of a topic."""
    for name, topic in topics.items():
        if not isinstance(topic, str) or not _TOPIC(topic) or topic in {".", ".."}:
            raise ValueError(f"{name} is {topic!r}: give the name of a topic: letters, digits, '.', '_' and '-'")


def _check_servers(given: Any) -> None:
    several = given.split(",") if isinstance(given, str) else given
    fine = isinstance(several, Sequence) and several and all(isinstance(one, str) and _SERVER(one) for one in several)
    if not fine:
        raise ValueError(
            f'bootstrap_servers is {given!r}: must be host:port, such as "localhost:9092", or a list of them'
        )
