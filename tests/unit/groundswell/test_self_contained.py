"""What apps import stands alone, and its name and those of the worker's folders are nobody else's."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

import groundswell

PROJECT = Path(__file__).resolve().parents[3]
OURS = ["groundswell", "processors", "state", "streams", "experiments"]

APP = '''
"""An app with nothing at hand but the standard library, msgspec and NumPy."""

import pkgutil
import sys


class Nothing:
    """Refuses to find anything else."""

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in {*sys.stdlib_module_names, "groundswell", "msgspec", "numpy"}:
            raise ModuleNotFoundError(f"not for apps: {name}", name=name)


sys.meta_path.insert(0, Nothing())

import importlib

import groundswell

for module in pkgutil.iter_modules(groundswell.__path__):
    if module.name == "client":
        continue  # reads and writes with kafka-python
    importlib.import_module(f"groundswell.{module.name}")

from groundswell.exploration import Exploration
from groundswell.policy import Weights, encode

snapshot = groundswell.PolicySnapshot(
    model="feed",
    version=7,
    parent=None,
    bits=8,
    context_crosses=False,
    shared_weights=False,
    exploration=Exploration("epsilon-greedy", 0.1),
    bandit=Weights([199], [0.75]),
    inverse_kinematics=None,
    configuration="",
)
newest = groundswell.NewestSnapshot("feed")
assert newest.offer(b"feed", encode(snapshot))
actions = [groundswell.Action("a1"), groundswell.Action("a2")]
print(groundswell.Policy(newest.snapshot).scores({"user": "ann"}, actions))
'''


def test_an_app_scores_by_a_snapshot_without_the_worker() -> None:
    done = subprocess.run([sys.executable, "-c", APP], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[0.75, 0.0]\n", "")


def test_what_is_public_is_there() -> None:
    assert all(hasattr(groundswell, name) for name in groundswell.__all__)
    assert groundswell.__doc__


@pytest.mark.parametrize("name", OURS)
def test_no_other_distribution_owns_our_names(name: str) -> None:
    assert set(packages_distributions().get(name, [])) <= {"groundswell", "groundswell-worker"}
