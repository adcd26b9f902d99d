"""How an app reads the newest policy: follow the policies topic, adopt what is complete and checks out.

Nothing here is particular to the simulation: it is what any Python app would do (docs/clients.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from experiments.servers.topic_reader import TopicReader
from groundswell import NewestSnapshot, Policy


class PolicyReader:
    """Reads the policies of one model, without a consumer group: every app reads every policy.

    Before a first policy is published, `newest` is the uniform one. `security` is what the client needs beyond the
    address.
    """

    def __init__(
        self, bootstrap_servers: str, *, topic: str, model: str, security: Mapping[str, Any] | None = None
    ) -> None:
        self._topic = TopicReader(bootstrap_servers, topic, security=security)
        self._newest = NewestSnapshot(model)
        self._policy = Policy.uniform()

    def newest(self) -> Policy:
        """Return the newest policy that has arrived; does not wait for one."""
        offered = [self._newest.offer(record.key, record.value) for record in self._topic.new()]
        if any(offered) and self._newest.snapshot is not None:
            self._policy = Policy(self._newest.snapshot)
        return self._policy

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._topic.__exit__(kind, error, traceback)
