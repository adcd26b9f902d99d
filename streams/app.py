"""The composition root: the topology from top to bottom.

    impressions ─┐
                 ├─ join ─> interactions ─ learn ─> rewards, policies, checkpoints
    feedback  ───┘   (what waits: a windowed table)

Nothing connects at import; `app` is made when Faust asks for it (`faust -A streams.app worker`).
"""

from __future__ import annotations

import sys
from functools import cache
from typing import Any

from groundswell.signatures import SignatureError
from streams.declared_settings import DeclarationError
from streams.http.endpoints import add_pages
from streams.kafka.bounded_unpacking import bound_unpacking
from streams.kafka.faust_security import remove_unsafe_codecs
from streams.kafka.patient_clients import make_clients_patient
from streams.kafka.readable_records import UnreadableLog, pass_over_unreadable
from streams.kafka.zstd_level import compress_quickly
from streams.settings import Settings, load_settings
from streams.worker.agents import add_agents, add_clock
from streams.worker.process import PunctualWorker, WorkerOfFaust
from streams.worker.shard_exchange import add_shard_exchange
from streams.worker.worker_app import Groundswell
from streams.worker.worker_conditions import add_condition_looks


def create_app(settings: Settings) -> Groundswell:
    """Return the worker's app: topics, table, agents, clock and pages, connected to nothing yet."""
    remove_unsafe_codecs()
    make_clients_patient()
    compress_quickly()
    bound_unpacking(settings.kafka.max_unpacked_bytes)
    app = Groundswell(settings, Worker=WorkerOfFaust)
    pass_over_unreadable(settings.kafka.max_unpacked_bytes, UnreadableLog(app.learning.disbelieved))
    add_agents(app)
    add_clock(app)
    add_shard_exchange(app)
    add_condition_looks(app)
    add_pages(app)
    return app


def run_worker(settings: Settings) -> None:
    """Run until SIGINT or SIGTERM. Ends the process. Raises what `PunctualWorker` does before it starts."""
    PunctualWorker(create_app(settings)).execute_from_commandline()


@cache
def _app() -> Groundswell:
    try:
        return create_app(load_settings())
    except (DeclarationError, SignatureError) as error:
        sys.stderr.write(f"groundswell: {error}\n")
        sys.exit(2)


def __getattr__(name: str) -> Any:
    if name == "app":
        return _app()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
