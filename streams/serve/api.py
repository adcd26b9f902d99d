"""What is asked over HTTP, and what comes of it: who asks, how much, what -> may they -> decide -> write -> answer."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future
from http import HTTPStatus
from typing import Final, NamedTuple, TypeVar, get_args

import msgspec
from msgspec import Struct
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from groundswell.client import Basis
from groundswell.client.decisions import Decision
from groundswell.events import SHOWN_SIGNAL, Action
from streams.host_names import is_allowed
from streams.observing.metrics import ServeMetrics
from streams.serve.deciders import Deciders
from streams.serve.meant import elsewhere, misfit
from streams.serve.messages import (
    ActivateAnswer,
    ActivateRequest,
    FeedbackAnswer,
    FeedbackRequest,
    ModelsAnswer,
    OfferedSlot,
    RankAnswer,
    RankRequest,
    Refusal,
    SlotAnswer,
    SlotsAnswer,
    Written,
)
from streams.serve.openapi import openapi
from streams.serve.operations import ACTIVATE, FEEDBACK, MODELS, OPERATIONS, RANK, Operation
from streams.serve.pace import AtATime, Paces
from streams.serve.refused import RefusedError
from streams.serve.tokens import Holder, Tokens
from streams.serve.writing import Log, Writing
from streams.settings import ServeSettings

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
_ENCODED: Final = msgspec.json.Encoder().encode
WRITE: Final = "write"
LONGEST_NAME: Final = 100
"""Characters of a name that is told to be none."""
SHOWN_ID: Final = "shown"
"""The id of the feedback that activates: of one impression there is one, however often it is sent."""

Endpoint = Callable[[Request], Awaitable[Response]]
Asked = TypeVar("Asked", RankRequest, FeedbackRequest, ActivateRequest)


class Begun(NamedTuple):
    """What has been worked at and is not written yet: messages on their way to Kafka, and what is answered then."""

    messages: Sequence[Future[None]]
    answer: Callable[[Written], Struct]


class Api:
    """The API over HTTP; `application` is it by ASGI. While `draining` it says that it is not ready."""

    def __init__(
        self, settings: ServeSettings, deciders: Deciders, writing: Writing, metrics: ServeMetrics | None = None
    ) -> None:
        self._settings, self._deciders, self._writing = settings, deciders, writing
        self._metrics = metrics or ServeMetrics()
        self._metrics.expect(
            [one.name for one in OPERATIONS], [one.model for one in deciders.models()], get_args(Basis)
        )
        self._tokens, self._paces = Tokens(settings.tokens), Paces(settings.requests_per_second)
        self._at_a_time = AtATime(settings.max_concurrent)
        self._hosts = frozenset(one.lower() for one in (*settings.allowed_hosts, socket.gethostname()))
        self._document = _ENCODED(openapi())
        self.draining = False

    def application(self) -> ASGIApp:
        """Return the application by ASGI."""
        routes = [
            Route(RANK.path, self._writes(RANK, RankRequest, self._rank), methods=[RANK.method]),
            Route(FEEDBACK.path, self._writes(FEEDBACK, FeedbackRequest, self._feedback), methods=[FEEDBACK.method]),
            Route(ACTIVATE.path, self._writes(ACTIVATE, ActivateRequest, self._activate), methods=[ACTIVATE.method]),
            Route(MODELS.path, self._answering(MODELS.name, self._models), methods=[MODELS.method]),
            Route("/openapi.json", self._answering("openapi", self._openapi), methods=["GET"]),
            Route("/metrics", self._answering("metrics", self._exposition), methods=["GET"]),
            Route("/healthz", self._healthz, methods=["GET"]),
            Route("/readyz", self._readyz, methods=["GET"]),
        ]
        handlers = {HTTPException: _no_such_route, Exception: _failed}
        application = Starlette(routes=routes, exception_handlers=handlers)
        application.router.redirect_slashes = False
        return self._shedding(application)

    def _shedding(self, application: ASGIApp) -> ASGIApp:
        """Return an application that refuses what is beyond before anything is made of it: in a flood that is most."""
        names = {one.path: one.name for one in (RANK, FEEDBACK, ACTIVATE)}

        async def shed(scope: Scope, receive: Receive, send: Send) -> None:
            if self._at_a_time.is_full and (name := names.get(scope.get("path", ""))) is not None:
                refused = self._at_a_time.refused()
                self._metrics.answered(name, refused.status, 0.0)
                await refusal(refused.status, refused.detail, refused.headers)(scope, receive, send)
            else:
                await application(scope, receive, send)

        return shed

    # The operations.

    def _rank(self, asked: RankRequest, log: Log) -> Begun:
        if asked.slots is not None:
            return self._rank_slots(asked, asked.slots, log)
        decision = self._deciders.decide(asked)

        def answer(written: Written) -> RankAnswer:
            self._metrics.decisions.labels(asked.model, decision.basis).inc()
            return RankAnswer(
                model=decision.model,
                impression_id=decision.impression_id,
                action=decision.action.id,
                index=decision.index,
                propensity=decision.propensity,
                probabilities=decision.probabilities,
                policy_version=decision.policy_version,
                basis=decision.basis,
                mode=decision.mode,
                side=decision.side,
                agreed=decision.agreed,
                written=written,
            )

        return Begun([log.shown(decision, deferred=asked.defer)], answer)

    def _rank_slots(self, asked: RankRequest, slots: Sequence[OfferedSlot], log: Log) -> Begun:
        decisions = self._deciders.decide_slots(asked, slots)
        first = decisions[0]
        assert first.slot is not None, "it is of a decision over slots"
        decision_id = first.slot.id

        def answer(written: Written) -> SlotsAnswer:
            self._metrics.decisions.labels(asked.model, first.basis).inc(len(decisions))
            return SlotsAnswer(
                model=first.model,
                decision_id=decision_id,
                slots=[slot_answer(*one, asked.actions) for one in zip(slots, decisions, strict=True)],
                policy_version=first.policy_version,
                basis=first.basis,
                mode=first.mode,
                side=first.side,
                written=written,
            )

        return Begun([log.shown(one, deferred=asked.defer) for one in decisions], answer)

    def _feedback(self, asked: FeedbackRequest, log: Log) -> Begun:
        self._deciders.known(asked.model)
        feedback_id = asked.feedback_id or os.urandom(16).hex()
        message = log.feedback(
            asked.impression_id, asked.signal, asked.value, feedback_id=feedback_id, occurred_at=asked.occurred_at
        )
        return Begun(
            [message],
            lambda written: FeedbackAnswer(impression_id=asked.impression_id, feedback_id=feedback_id, written=written),
        )

    def _activate(self, asked: ActivateRequest, log: Log) -> Begun:
        self._deciders.known(asked.model)
        message = log.feedback(asked.impression_id, SHOWN_SIGNAL, feedback_id=SHOWN_ID, occurred_at=asked.occurred_at)
        return Begun([message], lambda written: ActivateAnswer(impression_id=asked.impression_id, written=written))

    async def _models(self, request: Request, holder: Holder) -> Response:
        known = [one for one in self._deciders.models() if holder.may(one.model)]
        return Response(_ENCODED(ModelsAnswer(models=known)), media_type=JSON)

    async def _openapi(self, request: Request, holder: Holder) -> Response:
        return Response(self._document, media_type=JSON)

    async def _exposition(self, request: Request, holder: Holder) -> Response:
        holder.check_metrics()
        for one in self._deciders.models():
            self._metrics.policy_version.labels(one.model).set(one.policy_version or 0)
            self._metrics.problem.labels(one.model).set(one.problem is not None)
        for model, is_newest in self._deciders.newest_known().items():
            self._metrics.following.labels(model).set(is_newest)
        for write, (written, failed) in self._writing.counts().items():
            self._metrics.wrote(write, "written", written)
            self._metrics.wrote(write, "failed", failed)
        return Response(generate_latest(self._metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _healthz(self, request: Request) -> Response:
        return Response("ok\n", media_type="text/plain")

    async def _readyz(self, request: Request) -> Response:
        trouble = "ends" if self.draining else self._deciders.not_ready()
        return Response(f"{trouble or 'ready'}\n", 503 if trouble else 200, media_type="text/plain")

    # What they have in common.

    def _writes(self, operation: Operation, kind: type[Asked], begin: Callable[[Asked, Log], Begun]) -> Endpoint:
        """Return the endpoint of an operation that writes: it takes a body, and says whether that is written."""
        decoder = msgspec.json.Decoder(kind)

        async def answer(request: Request, holder: Holder) -> Response:
            later = request.query_params.get(WRITE) == "later"
            content = await self._body(request)
            with self._metrics.under_way.track_inprogress():
                async with self._at_a_time.turn():
                    asked = _told(decoder, content)
                    holder.check(asked.model)
                    begun = begin(asked, self._writing.log(later=later))
                # Waiting for Kafka takes nothing of the core, and must keep nobody from being answered.
                written = await self._writing.written(begun.messages, later=later)
            return Response(_ENCODED(begun.answer(written)), media_type=JSON)

        return self._answering(operation.name, answer, writes=True)

    def _answering(
        self, name: str, answer: Callable[[Request, Holder], Awaitable[Response]], *, writes: bool = False
    ) -> Endpoint:
        """Return an endpoint that asks who it is, refuses in words, and counts."""

        async def endpoint(request: Request) -> Response:
            begin = time.perf_counter()
            try:
                self._check_host(request)
                holder = self._tokens.holder(request.headers.get("Authorization"))
                self._paces.take(holder.name, time.monotonic())
                _check_query(request.query_params, writes=writes)
                response = await answer(request, holder)
            except RefusedError as refused:
                response = refusal(refused.status, refused.detail, refused.headers)
            except ClientDisconnect:
                response = refusal(HTTPStatus.REQUEST_TIMEOUT, "the body did not come", {})
            except Exception:  # answered by `_failed`, and logged by what calls it
                self._metrics.answered(name, HTTPStatus.INTERNAL_SERVER_ERROR, time.perf_counter() - begin)
                raise
            self._metrics.answered(name, response.status_code, time.perf_counter() - begin)
            return response

        return endpoint

    def _check_host(self, request: Request) -> None:
        if not is_allowed(request.headers.get("Host"), self._hosts):
            raise RefusedError(HTTPStatus.MISDIRECTED_REQUEST, "not under this name: see serve.allowed_hosts")

    async def _body(self, request: Request) -> bytes:
        """Return the body. Raises `RefusedError` where it is too large, or not said to be JSON."""
        kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if kind != JSON:
            # A page of another site can send text from a browser without being asked whether it may, and JSON cannot.
            raise RefusedError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"send JSON, with the header `Content-Type: {JSON}`")
        most = self._settings.max_body_bytes
        length = request.headers.get("Content-Length", "0")
        if length.isdigit() and int(length) > most:
            raise _too_large(most)
        content = bytearray()
        async for part in request.stream():
            content += part
            if len(content) > most:
                raise _too_large(most)
        return bytes(content)


def slot_answer(slot: OfferedSlot, decision: Decision, actions: Sequence[Action]) -> SlotAnswer:
    """Return what was decided for a slot, by the places of all actions."""
    left = {one.id: probability for one, probability in zip(decision.actions, decision.probabilities, strict=True)}
    ids = [one.id for one in actions]
    return SlotAnswer(
        slot=slot.id,
        impression_id=decision.impression_id,
        action=decision.action.id,
        index=ids.index(decision.action.id),
        propensity=decision.propensity,
        probabilities=[left.get(one, 0.0) for one in ids],
        agreed=decision.agreed,
    )


def refusal(status: HTTPStatus, detail: str, headers: dict[str, str]) -> Response:
    """Return the response that says why there is no answer."""
    content = _ENCODED(Refusal(status=status, title=status.phrase, detail=detail))
    return Response(content, status, headers=headers, media_type=PROBLEM)


def _too_large(most: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"the body is larger than {most:,} bytes: send fewer actions or features, or raise serve.max_body_bytes",
    )


def _check_query(given: QueryParams, *, writes: bool) -> None:
    """Raise `RefusedError` where anything is asked by the query that cannot be, so that a misspelt name is told."""
    for name in given:
        if not (writes and name == WRITE):
            instead = "the only one is write (acknowledged or later)" if writes else "there is none"
            raise RefusedError(
                HTTPStatus.BAD_REQUEST, f"{name[:LONGEST_NAME]!r} is no parameter of this query: {instead}"
            )
    if given.getlist(WRITE) not in ([], ["acknowledged"], ["later"]):
        raise RefusedError(
            HTTPStatus.BAD_REQUEST,
            "write is acknowledged (answer when Kafka has it, as without it) or later (answer first, and write then)",
        )


def _told(decoder: msgspec.json.Decoder[Asked], content: bytes) -> Asked:
    """Return what the body asks. Raises `RefusedError` where it is nothing that can be asked."""
    try:
        return decoder.decode(content)
    except msgspec.ValidationError as error:
        raise RefusedError(HTTPStatus.UNPROCESSABLE_ENTITY, misfit(error, content, decoder.type)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RefusedError(HTTPStatus.BAD_REQUEST, f"the body is no JSON in UTF-8: {error}") from error


async def _no_such_route(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status, headers = HTTPStatus(error.status_code), dict(error.headers or {})
    asked = f"{request.method[:LONGEST_NAME]} {request.url.path[:LONGEST_NAME]}"
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = headers["Allow"] = ", ".join(sorted(headers["Allow"].split(", ")))
        instead = f"ask by {allowed.replace(', ', ' or ')}"
    else:
        instead = elsewhere(request.url.path)
    return refusal(status, f"{asked}: {status.phrase.lower()}; {instead}", headers)


async def _failed(request: Request, error: Exception) -> Response:
    detail = "a fault of this server, not of what was asked: its log says more"
    return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, detail, {})
