"""The OpenAPI document is one, and says what the API does: whatever it allows or forbids, nothing ends in a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from kafka import KafkaProducer
from kafka.future import Future
from openapi_spec_validator import validate
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from groundswell import Control
from groundswell.client import EventLog, event_log
from groundswell.controls import Canary
from streams.serve.openapi import openapi
from tests.unit.groundswell.test_newest_snapshot import snapshot
from tests.unit.serve.served import TOKENS, Stuck, listening

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
SCHEMA = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
SCHEMA.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
CHECKS = [
    schemathesis.checks.not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


class Acknowledging:
    """A client of Kafka that has every message acknowledged at once."""

    DEFAULT_CONFIG = KafkaProducer.DEFAULT_CONFIG

    def __init__(self, **_: Any) -> None: ...

    def send(self, topic: str, *, key: bytes, value: bytes) -> Future:
        return Future().success(None)

    def flush(self, timeout: float | None = None) -> None: ...

    def close(self, timeout: float | None = None) -> None: ...


def about_feed(case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Return what is asked, about a model that there is: of another nothing is decided."""
    if isinstance(case.body, dict) and isinstance(model := case.body.get("model"), str) and model:
        case.body = {**case.body, "model": "feed"}
    return case


def over_slots(case: schemathesis.Case[Any]) -> schemathesis.Case[Any]:
    """Return what is asked, over one slot at least, each slot and action with an id of its own: few are drawn so."""
    if isinstance(case.body, dict):
        slots = case.body.get("slots") or [{"id": "top"}]
        case.body = {**case.body, "slots": slots, "actions": case.body.get("actions")}
        for name in ("slots", "actions"):
            if isinstance(offered := case.body[name], list):
                case.body[name] = [
                    {**one, "id": f"{number} {one['id']}"[:256]} if isinstance(one, dict) and one.get("id") else one
                    for number, one in enumerate(offered)
                ]
    return case


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Yield where it is served, with all that looks at what is written, in a canary."""
    asked = Control(
        schema_version=1, model="feed", version=1, mode="canary", by="ann", at=5, why="so", canary=Canary("user", 50)
    )
    feed = Stuck("feed", snapshot(500), control=asked)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_log, "KafkaProducer", Acknowledging)
        with (
            EventLog("127.0.0.1:9092") as prompt,
            EventLog("127.0.0.1:9092") as patient,
            listening(prompt, patient, feed=feed, requests_per_second=1e6, tokens=TOKENS) as port,
        ):
            yield f"http://127.0.0.1:{port}"


def test_it_is_an_openapi_document() -> None:
    validate(openapi())


def test_every_operation_says_what_is_sent_and_what_may_come_back() -> None:
    for path, operations in openapi()["paths"].items():
        for method, operation in operations.items():
            assert ("requestBody" in operation) == (method == "post"), path
            assert {"200", "401", "421", "429"} <= set(operation["responses"]), path


@SCHEMA.parametrize()
@settings(max_examples=60)
def test_whatever_is_sent_it_is_answered_as_the_document_says(case: schemathesis.Case[Any], address: str) -> None:
    headers = {"Authorization": "Bearer of-all"}
    answer = about_feed(case).call_and_validate(base_url=address, headers=headers, checks=CHECKS)
    assert answer.status_code != 404  # all else would be asked in vain


@SCHEMA.include(path="/v1/rank").parametrize()
@settings(max_examples=60)
def test_whatever_is_asked_over_slots_it_is_answered_as_the_document_says(
    case: schemathesis.Case[Any], address: str
) -> None:
    headers = {"Authorization": "Bearer of-all"}
    over_slots(about_feed(case)).call_and_validate(base_url=address, headers=headers, checks=CHECKS)


@SCHEMA.parametrize()
@settings(max_examples=30)
def test_who_is_not_known_is_refused_whatever_is_sent(case: schemathesis.Case[Any], address: str) -> None:
    answer = about_feed(case).call(base_url=address, headers={"Authorization": "Bearer of-nobody"})
    assert answer.status_code in {401, 405}, answer.text  # the latter by another method


@SCHEMA.parametrize()
@settings(max_examples=30)
def test_who_has_no_rights_gets_nothing_whatever_is_sent(case: schemathesis.Case[Any], address: str) -> None:
    answer = about_feed(case).call(base_url=address, headers={"Authorization": "Bearer of-none"})
    assert answer.status_code in {400, 403, 405, 413, 415, 422} or answer.json() == {"models": []}, answer.text
