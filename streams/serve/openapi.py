"""The OpenAPI document (3.1) of the API, made from its operations and types."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from streams.serve.messages import Refusal
from streams.serve.operations import OPERATIONS, Operation
from streams.words import tidy

REFUSALS: Final = {
    "400": "The query has a parameter that there is not, or a value that cannot be, or the body is no JSON.",
    "401": "No token, or one that is not known.",
    "403": "The token has no rights for this model.",
    "404": "There is no such model.",
    "408": "The body did not come in time.",
    "413": "The body is larger than `serve.max_body_bytes`.",
    "415": "The body is not said to be application/json.",
    "421": "Asked under a name that is not among `serve.allowed_hosts`.",
    "422": "The body is JSON, and not what is asked for; `detail` says where, and what to do.",
    "429": "Too many requests at a time, or a second.",
    "500": "A fault of the server, which its log tells.",
    "503": "Kafka has not acknowledged it, or it was to be written later and cannot wait.",
}
"""Why there may be no answer, by status."""
OF_WRITES: Final = frozenset({"403", "404", "408", "413", "415", "422", "503"})
RETRY: Final = frozenset({"429", "503"})
_SCHEMA: Final = "#/components/schemas/{name}"


def openapi() -> dict[str, Any]:
    """Return the document."""
    types = [kind for one in OPERATIONS for kind in (one.asks, one.gives, one.or_gives) if kind is not None]
    _, schemas = msgspec.json.schema_components([*types, Refusal], ref_template=_SCHEMA)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "groundswell",
            "version": "1",
            "description": "Apps ask which action to show, and say what came back. docs/serving.md has more.",
        },
        "security": [{"token": []}, {}],
        "paths": {one.path: {one.method.lower(): _operation(one)} for one in OPERATIONS},
        "components": {
            "schemas": tidy(schemas),
            "securitySchemes": {
                "token": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "By `groundswell hash-token`; none is needed where none is configured.",
                }
            },
        },
    }


def _operation(one: Operation) -> dict[str, Any]:
    refusals = {status: why for status, why in REFUSALS.items() if one.asks is not None or status not in OF_WRITES}
    described: dict[str, Any] = {
        "operationId": one.name,
        "summary": one.summary,
        "responses": {
            "200": {"description": "The answer.", "content": _content(one.gives, "application/json", one.or_gives)},
            **{status: _refusal(status, why) for status, why in refusals.items()},
        },
    }
    if one.asks is not None:
        described["requestBody"] = {"required": True, "content": _content(one.asks, "application/json")}
        described["parameters"] = [
            {
                "name": "write",
                "in": "query",
                "description": "acknowledged: answer when Kafka has it. later: answer first, and write then.",
                "schema": {"enum": ["acknowledged", "later"], "default": "acknowledged"},
            }
        ]
    return described


def _refusal(status: str, why: str) -> dict[str, Any]:
    described: dict[str, Any] = {"description": why, "content": _content(Refusal, "application/problem+json")}
    if status in RETRY:
        described["headers"] = {
            "Retry-After": {"description": "seconds", "required": True, "schema": {"type": "integer", "minimum": 1}}
        }
    return described


def _content(kind: type[msgspec.Struct], media_type: str, other: type[msgspec.Struct] | None = None) -> dict[str, Any]:
    referred = [{"$ref": _SCHEMA.format(name=one.__name__)} for one in (kind, other) if one is not None]
    return {media_type: {"schema": referred[0] if other is None else {"oneOf": referred}}}
