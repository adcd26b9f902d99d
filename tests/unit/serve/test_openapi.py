"""The OpenAPI document is one, and says what the API does: whatever it allows or forbids, nothing ends in a 500."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import settings
from openapi_spec_validator import validate
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from streams.serve.openapi import openapi
from tests.unit.serve.served import TOKENS, KeptLog, listening

DOCUMENT = Path(__file__).parents[3] / "docs" / "openapi.json"
SCHEMA = schemathesis.openapi.from_dict(json.loads(DOCUMENT.read_text()))
SCHEMA.config.generation.update(modes=[schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE])
CHECKS = [
    schemathesis.checks.not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with listening(KeptLog(), KeptLog(), requests_per_second=1e6, tokens=TOKENS) as port:
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
    case.call_and_validate(base_url=address, headers=headers, checks=CHECKS)
