"""The API in the process of the test, with stand-ins for what reads and writes Kafka."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing, contextmanager
from typing import Any

from starlette.testclient import TestClient

from groundswell.client import Basis, EventLogError, Following, Slot
from groundswell.client.acting import Acting
from groundswell.client.decisions import Decision, decide
from groundswell.client.slots import decide_slots
from groundswell.client.told import Own
from groundswell.controls import Control
from groundswell.events import Action, FeatureValue
from groundswell.policy import Policy, PolicySnapshot
from streams.serve.api import Api
from streams.serve.deciders import Deciders, Follower
from streams.serve.server import server_of
from streams.serve.tokens import hash_of
from streams.serve.writing import Log, Writing
from streams.settings import ServeSettings, Settings, TokenSettings
from tests.factories import models

ACTIONS = [{"id": "a"}, {"id": "b", "features": {"length": 3}}, {"id": "c"}]
RANK: dict[str, Any] = {"model": "feed", "context": {"user": "ann"}, "actions": ACTIONS}
FEEDBACK: dict[str, Any] = {"model": "feed", "impression_id": "i1", "signal": "click"}
ACTIVATE: dict[str, Any] = {"model": "feed", "impression_id": "i1"}
TOKENS = {
    "feed": TokenSettings(sha256=hash_of("of-feed"), models=("feed",)),
    "all": TokenSettings(sha256=hash_of("of-all"), models=("*",)),
    "prometheus": TokenSettings(sha256=hash_of("of-none"), models=()),
}


class Stuck:
    """Decides by one policy and one control for ever; not `read`, as `Policies` does before the topics are."""

    def __init__(
        self,
        model: str,
        snapshot: PolicySnapshot | None = None,
        *,
        control: Control | None = None,
        pinned: PolicySnapshot | None = None,
        read: bool = True,
    ) -> None:
        self._model, self._read = model, read
        self._acting = Acting(Policy(snapshot), Policy(pinned), control, known=read)
        self.policy, self.mode = self._acting.newest, self._acting.mode
        self.basis: Basis = "uniform" if snapshot is None else "policy"
        self.deciding = self._acting.deciding(self.basis)
        self.following = Following(up_to_date=read, problem=None if read else "Kafka is away")

    def decide(
        self,
        context: Mapping[str, FeatureValue],
        actions: Sequence[Action],
        impression_id: str | None = None,
        *,
        own: Own | None = None,
    ) -> Decision:
        by = self._acting.chosen(context, self.basis)
        return decide(
            self._model, by.policy, by.basis, context, actions, impression_id,
            own=own, mode=by.mode, side=by.side, beside=by.beside,
        )  # fmt: skip

    def decide_slots(
        self,
        context: Mapping[str, FeatureValue],
        actions: Sequence[Action],
        slots: Sequence[Slot | str],
        decision_id: str | None = None,
        *,
        own: Sequence[str | Action] | None = None,
        repeats: bool = False,
    ) -> list[Decision]:
        by = self._acting.chosen(context, self.basis)
        return decide_slots(self._model, by, context, actions, slots, decision_id, own=own, repeats=repeats)

    def wait(self, seconds: float) -> bool:
        return self._read

    def close(self) -> None:
        pass


class KeptLog:
    """Keeps what is to be written. Each message is acknowledged at once, refused, or waits for ever."""

    def __init__(self, error: EventLogError | None = None, *, waits: bool = False) -> None:
        self._error, self._waits = error, waits
        self.impressions: list[tuple[Decision, bool]] = []
        self.feedbacks: list[tuple[str, str, float | None, str | None, int | None]] = []
        self.messages: list[Future[None]] = []
        self.failed = 0

    @property
    def written(self) -> int:
        return len(self.messages)

    def shown(self, decision: Decision, *, deferred: bool = False) -> Future[None]:
        self.impressions.append((decision, deferred))
        return self._taken()

    def feedback(
        self,
        impression_id: str,
        signal: str,
        value: float | None = None,
        *,
        feedback_id: str | None = None,
        occurred_at: int | None = None,
    ) -> Future[None]:
        self.feedbacks.append((impression_id, signal, value, feedback_id, occurred_at))
        return self._taken()

    def close(self, seconds: float = 10.0) -> None:
        pass

    def _taken(self) -> Future[None]:
        message: Future[None] = Future()
        if self._error is not None:
            message.set_exception(self._error)
        elif not self._waits:
            message.set_result(None)
        self.messages.append(message)
        return message


def api(
    prompt: Log | None = None,
    patient: Log | None = None,
    *,
    feed: Follower | None = None,
    **serve: Any,
) -> Api:
    """Return the API of the models feed and other, neither of which has a policy unless `feed` decides otherwise."""
    settings = Settings(models=models("feed", "other"), serve=ServeSettings(**serve))
    deciders = Deciders(settings, {"feed": feed or Stuck("feed"), "other": Stuck("other")})
    writing = Writing(prompt or KeptLog(), patient or KeptLog(waits=True), settings.serve.write_seconds)
    return Api(settings.serve, deciders, writing)


def client(*logs: Log, token: str | None = None, **given: Any) -> TestClient:
    """Return an app that asks this API, by this token."""
    return client_of(api(*logs, **given), token)


def client_of(served: Api, token: str | None = None) -> TestClient:
    """Return an app that asks an API, by this token."""
    headers = {} if token is None else {"Authorization": f"Bearer {token}"}
    return TestClient(served.application(), "http://localhost", headers=headers, raise_server_exceptions=False)


@contextmanager
def listening(*logs: Log, feed: Follower | None = None, **given: Any) -> Iterator[int]:
    """Serve this API on the loopback; yield the port."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        server = server_of(ServeSettings(**given), api(*logs, feed=feed, **given))
        running = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        running.start()
        try:
            yield listener.getsockname()[1]
        finally:
            server.should_exit = True
            running.join()
