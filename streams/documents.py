"""The documents that are made from the code: schemas, AsyncAPI, OpenAPI, configuration, metrics, conditions, rooms.

`make docs` writes them into docs/; a test fails when they are stale.
"""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from groundswell.chunks import Manifest
from groundswell.controls import Control
from groundswell.events import Feedback, Impression, Interaction, Reward, Watermark
from groundswell.policy import PolicySnapshot
from groundswell.worth import WorthTable
from streams.observing.conditions import KINDS
from streams.observing.metrics import Declared, Metrics, ServeMetrics
from streams.room_map import architecture
from streams.serve.openapi import openapi
from streams.settings import Settings, TopicSettings
from streams.words import tidy

DOCS = Path(__file__).parent.parent / "docs"
WIRE_TYPES: dict[str, type[msgspec.Struct]] = {
    "impression": Impression,
    "feedback": Feedback,
    "watermark": Watermark,
    "interaction": Interaction,
    "reward": Reward,
    "policy": PolicySnapshot,
    "chunked": Manifest,
    "control": Control,
    "signal-worth": WorthTable,
}
"""What lies on the topics as JSON, by the name of its schema."""

CHANNELS: dict[str, tuple[str, str, list[str]]] = {
    "impressions": ("apps write", "key: impression_id; partitioner: murmur2", ["impression", "watermark"]),
    "feedback": ("apps write", "key: impression_id; partitioner: murmur2", ["feedback", "watermark"]),
    "interactions": ("the join writes", "key: model", ["interaction"]),
    "rewards": ("the learner writes", "key: impression_id; on the partition of its interaction", ["reward"]),
    "policies": ("the learner writes, apps read", "key: model; compacted", ["policy", "chunked"]),
    "controls": ("operators write, apps read", "key: model; compacted", ["control", "policy", "chunked"]),
    "checkpoints": ("the learner writes and reads", "binary, compacted; not for others", []),
    "signal_worth": ("the learner writes", "key: model; compacted", ["signal-worth"]),
    "late_feedback": (
        "the join writes",
        "key and value: those of the feedback; headers: reason, lateness_ms",
        ["feedback"],
    ),
    "dead_letter": (
        "the join and the learner write",
        "key and value: those of the refused message; headers: reason, detail, topic, partition, offset",
        [],
    ),
}
"""Who writes each topic, how it is keyed, and which schemas lie on it."""


def documents() -> dict[str, str]:
    """Return the content of every generated document by its path below docs/."""
    made = {f"schemas/{name}.json": _json(schema_of(kind)) for name, kind in WIRE_TYPES.items()}
    made["asyncapi.json"] = _json(asyncapi())
    made["openapi.json"] = _json(openapi())
    made["configuration.md"] = configuration()
    made["metrics.md"] = metrics()
    made["runbook.md"] = runbook((DOCS / "runbook.md").read_text())
    made["architecture.md"] = architecture(DOCS / "architecture.md")
    return made


def schema_of(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a wire type, complete in itself."""
    schema = msgspec.json.schema(kind)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **tidy(schema)}


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of all topics."""
    (_, components) = msgspec.json.schema_components(WIRE_TYPES.values(), ref_template="#/components/schemas/{name}")
    names = {name: kind.__name__ for name, kind in WIRE_TYPES.items()}
    topics = TopicSettings()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "groundswell",
            "version": "1",
            "description": "What is written on the topics. Values are JSON; times are milliseconds since 1970 in UTC.",
        },
        "defaultContentType": "application/json",
        "channels": {
            channel: {
                "address": getattr(topics, channel),
                "description": f"{writer}; {layout}",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
            }
            for channel, (writer, layout, messages) in CHANNELS.items()
        },
        "components": {
            "messages": {
                name: {"name": name, "payload": {"$ref": f"#/components/schemas/{kind}"}}
                for name, kind in names.items()
            },
            "schemas": tidy(components),
        },
    }


def configuration() -> str:
    """Return the configuration reference."""
    lines = [
        "# Configuration",
        "",
        "From strongest to weakest: the variable of the environment, the TOML file that `--config` or",
        "`GROUNDSWELL_CONFIG` names, the default. A variable is named after section and field:",
        "`GROUNDSWELL_JOIN__WAIT=600` is `[join] wait = 600`. `KAFKA_BOOTSTRAP_SERVERS` stands above",
        "`kafka.bootstrap_servers` wherever that comes from. Lists are JSON in variables:",
        "`GROUNDSWELL_MODELS__FEED__DEFINITELY_NEGATIVE='[\"dislike\"]'`.",
        "",
        "A setting that cannot work is refused at the start, by file and line or by the variable's name, and so is",
        "one that does not exist (``groundswell.toml:3: no setting `wiat` in [join]; did you mean `wait`?``).",
        "",
        "Every command exits with 0 where it did what was asked, with 2 where it cannot (settings, no broker, an extra",
        "that is not installed: one line says which, and what to do), and with 1 where it ran and what it found is not",
        "well.",
        "",
        "`[models.NAME]` stands once for each model; NAME is what its impressions carry in `model`.",
        "",
    ]
    for section, model in _sections(Settings):
        lines += [f"## {f'[{section}]' if section else 'at the top'}", "", _summary(model), ""]
        lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
        properties = model.model_json_schema()["properties"]
        for name, field in model.model_fields.items():
            if not _is_section(field):
                lines.append(_row(name, field, properties[name]))
        lines.append("")
    return "\n".join(lines)


def _sections(model: type[BaseModel], path: str = "") -> Iterator[tuple[str, type[BaseModel]]]:
    if any(not _is_section(field) for field in model.model_fields.values()):
        yield path, model
    for name, field in model.model_fields.items():
        below = f"{path}.{name}" if path else name
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _sections(kind, below)
        elif _is_section(field):
            yield from _sections(get_args(kind)[1], f"{below}.NAME")


def _is_section(field: FieldInfo) -> bool:
    kinds = [field.annotation, *get_args(field.annotation)]
    return any(isinstance(kind, type) and issubclass(kind, BaseModel) for kind in kinds) and type(None) not in kinds


def _summary(model: type[BaseModel]) -> str:
    return inspect.cleandoc(model.__doc__ or "")


def _row(name: str, field: FieldInfo, schema: dict[str, Any]) -> str:
    default = "required"
    if not field.is_required():
        value = field.get_default(call_default_factory=True)
        default = "none" if value is None else f"`{json.dumps(value, default=sorted)}`"
    return f"| `{name}` | {_kind(schema)} | {default} | {field.description or ''} |"


BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


def _kind(schema: dict[str, Any]) -> str:
    """Return a JSON Schema's type and bounds in words."""
    if "anyOf" in schema:
        return " or ".join(_kind(option) for option in schema["anyOf"])
    if "enum" in schema:
        return ", ".join(f"`{value}`" for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_kind(schema['items'])}"
    bounds = [f"{sign} {schema[bound]:g}" for bound, sign in BOUNDS.items() if bound in schema]
    kind = {"null": "none", "object": "table"}.get(schema.get("type", "object"), schema.get("type", "table"))
    return " ".join([kind, " and ".join(bounds)]).strip()


def metrics() -> str:
    """Return the table of metrics."""
    lines = [
        "# Metrics",
        "",
        "Served at `/metrics`. Labels are bounded whatever producers send: models are the configured ones, reasons",
        "are fixed sets, and of signals each model has at most 50 of its own. Segments are values of the context",
        "feature that `[segments.NAME]` names, the configured ones or the first few that come; the feature by which a",
        "model tells users apart is refused. A partition's gauges disappear when it goes to another worker.",
        "",
        *_table(Metrics().declared()),
        "",
        "## `groundswell serve`",
        "",
        "At its own `/metrics`, with a token where there are any.",
        "",
        *_table(ServeMetrics().declared()),
        "",
    ]
    return "\n".join(lines)


def _table(metrics: list[Declared]) -> list[str]:
    rows = [f"| `{one.name}` | {one.kind} | {', '.join(one.labels)} | {one.meaning} |" for one in metrics]
    return ["| name | kind | labels | meaning |", "|---|---|---|---|", *rows]


CONDITIONS = "<!-- conditions: made by `make docs` from streams/observing/conditions.py -->"
CONDITIONS_END = "<!-- end of conditions -->"


def runbook(text: str) -> str:
    """Return the runbook with the sections of conditions made anew."""
    before, after = text.partition(CONDITIONS)[0], text.partition(CONDITIONS_END)[2]
    sections = [f"### {kind.name}\n\n{kind.means}{'' if kind.grave else ' A note.'}\n\n{kind.do}\n\n" for kind in KINDS]
    return f"{before}{CONDITIONS}\n\n{''.join(sections)}{CONDITIONS_END}{after}"


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2) + "\n"


def write_documents(directory: Path) -> None:
    """Write every generated document below `directory`."""
    for path, content in documents().items():
        target = directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content)


if __name__ == "__main__":
    if not DOCS.is_dir():
        sys.exit("documents are made in a checkout: there is no docs/ beside what is installed")
    write_documents(DOCS)
