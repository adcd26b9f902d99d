"""A worker for the benchmarks: that of production, or one with the agents of the join alone."""

from __future__ import annotations

import sys

from streams.app import create_app
from streams.http.endpoints import add_pages
from streams.kafka.faust_security import remove_unsafe_codecs
from streams.kafka.zstd_level import compress_quickly
from streams.settings import load_settings
from streams.worker.agents import add_clock, add_join_agents
from streams.worker.process import PunctualWorker
from streams.worker.worker_app import Groundswell


def joining_app() -> Groundswell:
    """Return an app that joins and does not learn."""
    remove_unsafe_codecs()
    compress_quickly()
    app = Groundswell(load_settings())
    add_join_agents(app)
    add_clock(app)
    add_pages(app)
    return app


if __name__ == "__main__":
    PunctualWorker(joining_app() if sys.argv[1] == "join" else create_app(load_settings())).execute_from_commandline()
