"""Arguments of kafka-python's clients: those that an app needs by default, and those that it was given."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final

PATIENCE: Final = {"reconnect_backoff_max_ms": 2_000}
"""How long a broker that is gone is left alone before it is tried again; by default it may be 30 s."""


def checked(client: Any, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments for a client. Raises `TypeError` where it does not know one."""
    # Here, where the mistake was made, and not in a thread later.
    known = client.DEFAULT_CONFIG
    for name in arguments:
        if name not in known:
            near = get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{client.__name__} of kafka-python has no argument {name!r}{hint}")
    return dict(arguments)
