"""The script `groundswell`: runs the worker's command line, or says how to get it."""

from __future__ import annotations

import sys
from importlib.metadata import entry_points, version
from typing import Final

PROGRAM: Final = "groundswell.program"
"""The group of entry points that names the command line; the distribution groundswell-worker is in it."""

WHAT_TO_INSTALL: Final = """\
groundswell: what apps import is installed; commands come with the worker.
  pip install "groundswell[worker]"   worker, topics, adopt-topics, doctor, policy, control, worth,
                                      dead-letters, replay, export-dsjson, redecode, simulate, kafka,
                                      keys, chaos, hash-token, evaluate-policy
  pip install "groundswell[replay]"   these, and replay of Parquet files
  pip install "groundswell[serve]"    the first, and serve: decisions over HTTP
  pip install "groundswell[demo]"     those for replay, and demo, evaluate
  pip install "groundswell[bench]"    these, and bench with the peers that it measures against
  pip install "groundswell[signatures]"  beside any of these, an app that checks who signed a policy
From a checkout: pip install ./groundswell . (or '.[replay]' and so on).
"""


def main() -> None:
    """Run the command line; without the worker, say what to install for what and exit with 2 (asked for help: 0)."""
    for program in entry_points(group=PROGRAM):
        program.load()()
        return
    match sys.argv[1:]:
        case ["--version"]:
            sys.stdout.write(f"groundswell {version('groundswell')}\n")
            return
        case [] | ["-h" | "--help"]:
            sys.stdout.write(WHAT_TO_INSTALL)
            return
    sys.stderr.write(WHAT_TO_INSTALL)
    sys.exit(2)
