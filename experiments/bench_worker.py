"""A worker for the benchmarks: the one of production, with all its agents or those of the join alone."""

from __future__ import annotations

import sys

import faust

from processors.learner import warm_up
from streams.agents import add_clock, add_join_agents, add_learning_agent
from streams.app import Groundswell
from streams.collection import collect_seldom
from streams.faust_security import remove_unsafe_codecs
from streams.settings import load_settings


def run(*, learning: bool) -> None:
    """Run until stopped, by the settings that the environment names."""
    remove_unsafe_codecs()
    app = Groundswell(load_settings())
    add_join_agents(app)
    if learning:
        warm_up()
        add_learning_agent(app)
    add_clock(app)
    collect_seldom()
    faust.Worker(app, loglevel=app.settings.log_level, redirect_stdouts=False).execute_from_commandline()


if __name__ == "__main__":
    run(learning=sys.argv[1] == "pipeline")
