"""Logs: one line for each thing said, whole and searchable, and with no secret in it."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from pydantic import SecretStr

from processors.admission.event_records import Refusal
from streams.app import create_app
from streams.kafka.security import security_arguments
from streams.observing.logs import LogFormat, bound_contextvars, get_log, log_configuration, set_up_logs
from streams.observing.refusal_log import SILENCE, RefusalLog
from streams.settings import KafkaSettings
from streams.worker.agents import add_clock
from tests.unit.stand_ins import worker_settings

LOG = get_log("tests.of.logs")
SECRETIVE = KafkaSettings(
    security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", username="worker", password=SecretStr("x")
)
NASTY = 'a\nb\r\n{"level": "critical"}\x1b[31m\u2028'


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_what_a_machine_reads_is_one_object_on_each_line(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", "json")
    LOG.info("refused", impression_id=NASTY, partition=3)
    logging.getLogger("faust.worker").warning("%s is %d", NASTY, 4)
    LOG.debug("not asked for")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
    ours, fausts, warning = (json.loads(line) for line in lines(capsys))
    assert list(ours)[:4] == ["time", "level", "message", "logger"]
    assert {name: ours[name] for name in ("level", "message", "logger", "impression_id", "partition")} == {
        "level": "info", "message": "refused", "logger": "tests.of.logs", "impression_id": NASTY, "partition": 3,
    }  # fmt: skip
    assert (fausts["logger"], fausts["message"]) == ("faust.worker", f"{NASTY} is 4")
    assert "DeprecationWarning" in warning["message"]


def test_what_producers_sent_begins_no_line_of_its_own_for_people_either(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", "text")
    LOG.warning("refused", impression_id=NASTY)
    (line,) = lines(capsys)
    assert "refused" in line
    assert "\x1b" not in line


def test_what_libraries_say_of_it_begins_no_line_either(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", "text")
    logging.getLogger("faust.worker").warning("cannot read %s, zur Übersicht", NASTY)
    LOG.warning(NASTY)
    (fausts, ours) = lines(capsys)
    assert "cannot read a\\nb\\r\\n{" in fausts
    assert "zur Übersicht" in fausts
    assert "\x1b" not in fausts + ours


@pytest.mark.parametrize(
    ("name", "level", "message", "least"),
    [
        ("faust.tables.recovery", logging.INFO, "highwater of\neverything", "DEBUG"),
        ("aiokafka.consumer.group_coordinator", logging.INFO, "joined", "DEBUG"),
        ("streams.worker.worker_app", logging.INFO, "[^-Groundswell]: Starting...", "DEBUG"),
        ("mode.timers", logging.WARNING, "Timer clock is overlapping", "DEBUG"),
        ("faust.transport.producer", logging.WARNING, "producer buffer full size 3285", "DEBUG"),
        ("faust.worker", logging.WARNING, "signal received", "INFO"),
        ("mode.timers", logging.ERROR, "cannot sleep", "INFO"),
        ("streams.worker.worker_app", logging.INFO, "join restored", "INFO"),
        ("streams.worker.worker_app", logging.CRITICAL, "[^-Groundswell]: Crashed", "INFO"),
    ],
)
def test_what_parts_of_faust_say_of_themselves_is_for_a_search_for_errors(
    name: str, level: int, message: str, least: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for set_to in ("DEBUG", "INFO"):
        set_up_logs(set_to, "json")
        logging.getLogger(name).log(level, message)
        assert bool(lines(capsys)) == (set_to == "DEBUG" or least == "INFO")


def test_what_clients_tell_is_written_by_a_worker_and_not_beside_what_a_command_prints(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for clients in (False, True):
        set_up_logs("WARNING", "json", clients=clients)
        security_arguments(SECRETIVE)  # which has their loggers keep it
        for name in ("kafka", "kafka.net.connection", "kafka.admin._groups", "aiokafka.conn", "aiokafka.producer"):
            logging.getLogger(name).error("a node is gone")
            assert bool(lines(capsys)) == clients, name
        LOG.error("a node is gone")
        assert lines(capsys)


def test_what_is_bound_stands_on_every_line_within(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", "json")
    with bound_contextvars(topic="feedback", partition=2):
        LOG.info("inside")
        logging.getLogger("aiokafka").warning("inside too")
    LOG.info("outside")
    inside, too, outside = (json.loads(line) for line in lines(capsys))
    assert (inside["topic"], inside["partition"], too["partition"]) == ("feedback", 2, 2)
    assert "partition" not in outside


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_traceback_shows_where_and_no_values(form: LogFormat, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", form)

    def connect(password: str) -> None:
        raise ValueError("refused by the broker")

    try:
        connect("s3cret-" + "value")
    except ValueError:
        LOG.exception("a step failed")
        logging.getLogger("faust.app").exception("Crashed")
    said = "\n".join(lines(capsys))
    assert said.count("ValueError: refused by the broker") == 2
    assert "in connect" in said
    assert "s3cret-value" not in said


@pytest.mark.parametrize(
    ("form", "terminal", "as_json"),
    [("auto", True, False), ("auto", False, True), ("json", True, True), ("text", False, False)],
)
def test_a_terminal_is_written_for_people(
    form: LogFormat, terminal: bool, as_json: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    (*_, renderer) = log_configuration("INFO", form)["formatters"]["line"]["processors"]
    assert ("JSON" in type(renderer).__name__) is as_json


def test_garbage_does_not_fill_the_log(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", "json")
    now = [0.0]
    refusals = RefusalLog(lambda: now[0])
    for offset in range(1_000):
        refusals.refused("feedback", 1, offset, b"\xff\n" * 500, Refusal("not_json", "x" * 5_000))
    refusals.refused("feedback", 1, 1_000, None, Refusal("empty", "the record has no value"))
    now[0] += SILENCE
    refusals.refused("feedback", 1, 1_001, b"i7", Refusal("not_json", "malformed"))
    first, other, later = (json.loads(line) for line in lines(capsys))
    assert (first["reason"], first["offset"], first["untold_since"]) == ("not_json", 0, 0)
    assert len(json.dumps(first)) < 3_000
    assert (other["reason"], other["impression_id"]) == ("empty", None)
    assert (later["impression_id"], later["offset"], later["untold_since"]) == ("i7", 1_001, 999)


def test_how_many_were_refused_is_told_even_if_no_other_comes(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("INFO", "json")
    now = [0.0]
    refusals = RefusalLog(lambda: now[0])
    for offset in range(100):
        refusals.refused("feedback", 1, offset, b"i", Refusal("not_json", "malformed"))
    refusals.refused("feedback", 1, 100, None, Refusal("empty", "the record has no value"))
    for _ in range(10):
        now[0] += SILENCE / 4
        refusals.let_time_pass()
    *_, told = found = [json.loads(line) for line in lines(capsys)]
    assert len(found) == 3, "one line each, and one that says how many"
    assert (told["topic"], told["reason"], told["untold_since"]) == ("feedback", "not_json", 99)
    refusals.refused("feedback", 1, 101, b"i", Refusal("not_json", "malformed"))
    (later,) = (json.loads(line) for line in lines(capsys))
    assert (later["offset"], later["untold_since"]) == (101, 0)


def test_the_workers_clock_tells_it_even_while_nothing_flows(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    app, now = create_app(worker_settings()), [0.0]
    timers: dict[str, Callable[[], Coroutine[Any, Any, None]]] = {}
    app.refusals = RefusalLog(lambda: now[0])
    monkeypatch.setattr(type(app), "flowing", False)
    monkeypatch.setattr(app, "timer", lambda _, name: lambda timer: timers.setdefault(name, timer))
    add_clock(app)
    set_up_logs("INFO", "json")
    for offset in range(3):
        app.refusals.refused("feedback", 1, offset, b"i", Refusal("not_json", "malformed"))
    now[0] += SILENCE
    asyncio.run(timers["clock"]())
    *_, told = (json.loads(line) for line in lines(capsys))
    assert told["untold_since"] == 2


def test_what_a_client_repeats_is_said_once_a_minute_and_what_is_ours_each_time(
    capsys: pytest.CaptureFixture[str],
) -> None:
    set_up_logs("INFO", "json")
    client = logging.getLogger("aiokafka.cluster")

    def gone(topic: str, at: float) -> None:
        record = client.makeRecord(client.name, logging.ERROR, "", 1, "Topic %s not found", (topic,), None)
        record.created = at
        client.handle(record)

    for second in range(100):
        gone("impressions", 1_000.0 + second)
        gone("feedback", 1_000.0 + second)
        LOG.warning("ours")
    said = [json.loads(line)["message"] for line in lines(capsys)]
    assert said.count("Topic impressions not found") == said.count("Topic feedback not found") == 2
    assert said.count("ours") == 100
