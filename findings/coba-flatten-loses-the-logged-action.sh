#!/usr/bin/env bash
# Library: coba 8.1.0, Environments.flatten() and noise(action=...) on logged interactions, evaluated with SequentialCB (ips).
# Guess: the filters "flatten contexts and actions" or "add noise to values" wherever the action stands: in the set of actions and in the
#   logged action. The estimate is the same with the actions in another form, and an action outside its set would be refused.
# Seen: only the set is changed. The logged action equals none of it any more, so every row counts as "another action was taken": the
#   estimate of every policy is exactly 0, and learning by ips is from zeros. sparse(), dense() and repr() do change both. No warning:
#   coba warns of IPS rewards that are too seldom 0, never of those that always are.
# Hurts: whoever evaluates or learns off-policy from a log whose actions are nested (a name and its features), flattened for learners that
#   want plain vectors, or adds noise to test for robustness: all policies tie at 0, or, with costs below 0, all are perfect.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check coba==8.1.0
"$tmp/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version
from statistics import mean

from coba.environments import Environments
from coba.evaluators import SequentialCB
from coba.learners import BanditEpsilonLearner, RandomLearner
from coba.random import CobaRandom

print("coba", version("coba"))
NESTED, FLAT = [(0, (1.0, 0.0)), (1, (0.0, 1.0))], [(0, 1.0, 0.0), (1, 0.0, 1.0)]


class Log:
    """The first action earns 0, the second 1; both were logged with probability .5."""

    params = {}

    def __init__(self, actions):
        self.actions = actions

    def read(self):
        rng = CobaRandom(1)
        for _ in range(2000):
            taken = rng.randint(0, 1)
            yield {
                "context": (1.0, 2.0),
                "actions": list(self.actions),
                "action": self.actions[taken],
                "reward": float(taken),
                "probability": 0.5,
            }


def estimates(environments):
    """Of a random policy, and of one that learns by ips, over its second half."""
    random = [row["reward"] for row in SequentialCB(learn=None, eval="ips").evaluate(environments[0], RandomLearner())]
    learned = [row["reward"] for row in SequentialCB(learn="ips", eval="ips").evaluate(environments[0], BanditEpsilonLearner(0.1))]
    return round(mean(random), 3), round(mean(learned[1000:]), 3)


values = {}
for name, environments in {
    "nested, as logged": Environments(Log(NESTED)),
    "flat, as logged": Environments(Log(FLAT)),
    "nested, flatten()": Environments(Log(NESTED)).flatten(),
    "flat, noise(action=...)": Environments(Log(FLAT)).noise(action=("g", 0, 0.1)),
    "flat, sparse()": Environments(Log(FLAT)).sparse(True, True),
}.items():
    row = next(iter(environments[0].read()))
    values[name] = estimates(environments)
    print(f"{name}: a random policy earns {values[name][0]}, one that learns {values[name][1]}")
    print(f"  the logged action {row['action']} is in its set: {row['action'] in row['actions']}")
changed = {name for name, value in values.items() if value == (0, 0)}
as_seen = changed == {"nested, flatten()", "flat, noise(action=...)"}
as_seen &= all(0.4 < value[0] < 1.1 and 0.8 < value[1] < 1.1 for name, value in values.items() if name not in changed)
sys.exit(0 if as_seen else "not as recorded")
PYTHON
