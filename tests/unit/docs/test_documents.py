"""The documents made from the code are those of this code, and say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from groundswell.events import Interaction
from streams.documents import CHANNELS, documents, schema_of
from streams.settings import TopicSettings
from tests.factories import encode, feedback, impression

DOCS = Path(__file__).parents[3] / "docs"


@pytest.mark.parametrize("path", documents())
def test_documents_are_not_stale(path: str) -> None:
    assert (DOCS / path).is_file(), f"docs/{path} is missing: run `make docs`"
    assert (DOCS / path).read_text() == documents()[path], f"docs/{path} is stale: run `make docs`"


def test_every_topic_is_described() -> None:
    topics = {name for name, value in TopicSettings().model_dump().items() if isinstance(value, str)}
    assert set(CHANNELS) == topics


@pytest.mark.parametrize(("name", "message"), [("impression", impression()), ("feedback", feedback())])
def test_a_valid_message_has_all_that_its_schema_requires_and_nothing_else(
    name: str, message: dict[str, object]
) -> None:
    kind = {"impression": "Impression", "feedback": "Feedback"}[name]
    schema = msgspec.json.decode((DOCS / f"schemas/{name}.json").read_text())["$defs"][kind]
    assert set(schema["required"]) <= set(msgspec.json.decode(encode(message))) <= set(schema["properties"])


def test_schemas_are_complete_in_themselves() -> None:
    text = encode(schema_of(Interaction)).decode()
    for reference in re.findall(r'"\$ref":"([^"]+)"', text):
        assert reference.startswith("#/$defs/")
        assert f'"{reference.removeprefix("#/$defs/")}":' in text
