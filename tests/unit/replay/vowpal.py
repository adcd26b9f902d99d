"""What VowpalWabbit makes of lines that are written, and impressions that are hard to read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec

from groundswell.events import Action, FeatureValue, Impression


def plain(**changes: Any) -> Impression:
    made = Impression(
        schema_version=1,
        impression_id="i",
        occurred_at=1_795_310_400_000,
        model="feed",
        context={"user": "ann"},
        actions=[Action("a"), Action("b"), Action("c")],
        chosen=1,
        probabilities=[0.2, 0.7, 0.1],
    )
    return msgspec.structs.replace(made, **changes)


VOWPAL = '''
"""Reads a file line by line; prints how many examples each line makes, and in the end what is played."""

import json
import sys

from vowpalwabbit import Workspace

workspace = Workspace(f"--dsjson {sys.argv[2]} --epsilon 0.1 --interactions :: --quiet")
counts = []
for line in open(sys.argv[1], encoding="utf-8"):
    examples = workspace.parse(line.rstrip("\\n"))
    counts.append(len(examples))
    workspace.learn(examples)
    workspace.finish_example(examples)
played = []
for line in sys.argv[3:]:
    examples = workspace.parse(line)
    played.append(workspace.predict(examples))
    workspace.finish_example(examples)
print(json.dumps([counts, workspace.get_weighted_examples(), played]))
'''


def by_vowpal(path: Path, *asked: str, kind: str = "--cb_explore_adf") -> list[Any]:
    """Return what VowpalWabbit makes of a file, in a process of its own: it dies of what it cannot read."""
    done = subprocess.run(
        [sys.executable, "-c", VOWPAL, str(path), kind, *asked], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


ODD: list[tuple[dict[str, FeatureValue], str, dict[str, Any]]] = [
    ({}, "abc", {}),
    ({"x": True, "y": False, "z": -5, "u": 2**53, "v": -(2**53), "w": 5e-324, "t": 1.7e308, "s": -0.0}, "abc", {}),
    ({"x\0y": "a\0b", 'x"y': 'a"\\', "e": "", "x y|z:1": "a b|c:2", "x\ny": "a\nb"}, "\0 |", {}),
    ({"l": "\u2028\x85\x0b", "ü": "😀"}, "ü😀:", {}),
    ({"User.age": 3, "User.name": "x", "User": "y", "a.": 3, ".a": "x"}, "abc", {}),
    ({"c": 3, "a": "x", "p": 4.5, "o": "x", "c.x": 3, "a.x": "x", "p.o": 4.5, "o.v": "x"}, "abc", {}),
    ({"Ünder.x": 1, "\U000d10a6.y": "z", ":.a": 1, " .b": 1, "|.c": 1}, "abc", {}),
    ({"EventId": "x", "Timestamp": "y", "pdrop": 0.5}, "abc", {"weight": 1e6}),
    ({}, "abc", {"occurred_at": 0, "probabilities": [0.0, 1.0, 0.0]}),
    ({}, "abc", {"occurred_at": 253_402_300_799_999, "probabilities": [0.5, 1e-9, 0.5 - 1e-9]}),
]
