#!/usr/bin/env bash
# Library: obp 0.5.7 (Open Bandit Pipeline), on Python 3.11 with numpy 1.26 (its pins stop at Python 3.10; torch, which its
#   estimators import for other uses, is replaced by an empty mock).
# Guess: ReplayMethod takes the same action_dist as obp's other estimators, "can be deterministic", and for a stochastic policy weighs a
#   matching row by its probability, or draws actions, or refuses.
# Seen: a row matches only where the policy's probability is exactly 1. For any other policy there are no matches and the value is 0.0
#   with an interval of [0, 0], without a word: the most certain result there is. A policy of .999 counts for as little as a uniform
#   one; one that is deterministic for some contexts is judged on those alone.
# Hurts: whoever compares estimators for epsilon-greedy, softmax or Thompson policies, that is for all that log propensities: the policy
#   looks worthless, or, with costs below 0, perfect.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
pip="$tmp/venv/bin/pip --disable-pip-version-check install --quiet --no-cache-dir"
$pip numpy==1.26.4 scipy==1.13.1 scikit-learn==1.5.2 pandas==2.2.3 pyyaml tqdm matplotlib seaborn mypy-extensions
$pip --no-deps --ignore-requires-python obp==0.5.7
"$tmp/venv/bin/python" -W error::UserWarning - <<'PYTHON'
import sys
from importlib.metadata import version
from types import ModuleType
from unittest.mock import MagicMock

sys.modules["torch"] = MagicMock()
package = ModuleType("obp")  # without the package's own imports, which need the real torch
package.__path__ = [f"{path}/obp" for path in sys.path if path.endswith("site-packages")]
sys.modules["obp"] = package

import numpy as np
from obp.ope.estimators import InverseProbabilityWeighting, ReplayMethod

print("obp", version("obp"))
rng = np.random.default_rng(0)
n, rates = 5000, np.array([0.6, 0.2])
action = rng.integers(2, size=n)  # logged uniformly
reward = (rng.random(n) < rates[action]).astype(float)
seen = {}
for first in 1.0, 0.999, 0.9, 0.5:
    policy = np.empty((n, 2, 1))
    policy[:, 0], policy[:, 1] = first, 1 - first
    log = dict(reward=reward, action=action, action_dist=policy, pscore=np.full(n, 0.5))
    replay, ips = ReplayMethod(), InverseProbabilityWeighting()
    interval = list(replay.estimate_interval(**log, random_state=1).values())[1:]
    seen[first] = replay.estimate_policy_value(**log), *interval
    print(
        f"action 0 with probability {first}: truly {first * 0.6 + (1 - first) * 0.2:.3f}, IPS {ips.estimate_policy_value(**log):.3f},"
        f" replay {seen[first][0]:.3f} [{interval[0]:.3f}, {interval[1]:.3f}]"
    )
as_seen = 0.55 < seen.pop(1.0)[0] < 0.65 and all(values == (0, 0, 0) for values in seen.values())
sys.exit(0 if as_seen else "not as recorded")
PYTHON
