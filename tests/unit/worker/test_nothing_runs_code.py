"""What is read can run nothing, and what the worker serves is bounded, whatever the environment says."""

from __future__ import annotations

import ast
import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp.test_utils import TestClient, TestServer
from faust.serializers.codecs import codecs

from streams.app import create_app
from streams.kafka.access_rights import changelog_topic
from streams.settings import HttpSettings, Settings
from streams.worker.worker_app import Groundswell

PROJECT = Path(__file__).parents[3]
FOLDERS = ("processors", "state", "streams", "experiments")
UNSAFE_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve", "jsonpickle"}
UNSAFE_CALLS = {"eval", "exec", "compile", "__import__"}
UNSAFE_METHODS = {("yaml", "load"), ("yaml", "unsafe_load"), ("yaml", "full_load"), ("os", "system")}


def unsafe(tree: ast.AST) -> Iterator[str]:
    """Yield what in the code could run what it reads."""
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (one.name for one in names if one.name.partition(".")[0] in UNSAFE_MODULES)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in UNSAFE_MODULES:
                yield module
            case ast.Call(func=ast.Name(id=name)) if name in UNSAFE_CALLS:
                yield name
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)) if (module, name) in UNSAFE_METHODS:
                yield f"{module}.{name}"
            case ast.keyword(arg="allow_pickle", value=ast.Constant(value=True)):
                yield "allow_pickle"
            case ast.keyword(arg="shell", value=ast.Constant(value=True)):
                yield "shell"


@pytest.mark.parametrize("folder", FOLDERS)
def test_no_code_runs_what_it_reads(folder: str) -> None:
    files = sorted((PROJECT / folder).rglob("*.py"))
    assert files
    found = {str(file.relative_to(PROJECT)): list(unsafe(ast.parse(file.read_text()))) for file in files}
    assert not {file: calls for file, calls in found.items() if calls}


def test_what_is_looked_for_would_be_found() -> None:
    code = (
        "import pickle.x\nfrom dill import y\neval(z)\nyaml.load(z)\nnp.load(z, allow_pickle=True)\nrun(z, shell=True)"
    )
    assert sorted(unsafe(ast.parse(code))) == ["allow_pickle", "dill", "eval", "pickle.x", "shell", "yaml.load"]


@pytest.fixture
def app(monkeypatch: pytest.MonkeyPatch) -> Groundswell:
    """An app in an environment that would have Faust unpickle, and listen everywhere."""
    for name, value in {
        "APP_VALUE_SERIALIZER": "pickle",
        "APP_KEY_SERIALIZER": "pickle",
        "WEB_BIND": "0.0.0.0",
        "TOPIC_ALLOW_DECLARE": "yes",
        "BROKER_URL": "kafka://elsewhere",
    }.items():
        monkeypatch.setenv(name, value)
    return create_app(Settings())


def test_faust_takes_nothing_from_the_environment(app: Groundswell) -> None:
    assert app.conf.key_serializer == "raw"
    assert app.conf.value_serializer == "raw"
    assert app.conf.web_bind == "127.0.0.1"
    assert not app.conf.topic_allow_declare
    assert [str(url) for url in app.conf.broker] == ["aiokafka://127.0.0.1:9092"]


def test_no_codec_that_unpickles_can_be_named(app: Groundswell) -> None:
    assert not [name for name in codecs if "pickle" in name or "yaml" in name]
    for topic in (app.impressions, app.feedback, app.interactions):
        assert type(topic.value_serializer).__name__ == "RecordBatchCodec"
    [table] = app.tables.values()
    assert (table.key_serializer, table.value_serializer) == ("json", "raw")
    assert (table.changelog_topic.key_serializer, table.changelog_topic.value_serializer) == ("json", "raw")


def test_the_changelog_is_called_as_the_topics_command_calls_it(app: Groundswell) -> None:
    [table] = app.tables.values()
    assert table.changelog_topic_name == changelog_topic(app.settings.kafka)


def test_pages_are_served_on_the_loopback_unless_told_otherwise() -> None:
    assert create_app(Settings()).conf.web_bind == "127.0.0.1"
    assert create_app(Settings(http=HttpSettings(host="0.0.0.0"))).conf.web_bind == "0.0.0.0"


@pytest.mark.parametrize(
    ("method", "path", "size", "status"),
    [
        ("GET", "/healthz", 0, 200),
        ("GET", "/healthz", 10, 400),
        ("POST", "/metrics", 0, 405),
        ("POST", "/metrics", 10, 400),
        ("POST", "/metrics", 10_000_000, 400),
    ],
)
def test_pages_take_nothing(app: Groundswell, method: str, path: str, size: int, status: int) -> None:
    async def answer() -> int:
        async with TestClient(TestServer(await app.web.wsgi())) as client:
            return (await client.request(method, path, data=b"x" * size or None)).status

    assert asyncio.run(answer()) == status
