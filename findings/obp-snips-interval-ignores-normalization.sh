#!/usr/bin/env bash
# Library: obp 0.5.7 (Open Bandit Pipeline), on Python 3.11 with numpy 1.26 (its pins stop at Python 3.10; torch, which its
#   estimators import for other uses, is replaced by an empty mock).
# Guess: the interval of SelfNormalizedInverseProbabilityWeighting re-normalizes every bootstrap sample, as the estimate does:
#   where all rewards are 1 the estimate is 1 and the interval is [1, 1].
# Seen: the weights are normalized once, by the mean weight of the whole log, and the products are then resampled as if that
#   mean were a constant. All rewards 1: the estimate is 1, the "95%" interval goes far below and above it, beyond any possible reward.
#   Adding 10 to all rewards moves the estimate by 10 and blows the interval up twentyfold, though SNIPS does not care for a shift.
#   SelfNormalizedDoublyRobust and ReplayMethod resample alike.
# Hurts: whoever compares policies by obp's SNIPS intervals: SNIPS was chosen for its small variance, which the interval does not
#   have; with rewards of a large mean two clearly different policies overlap.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
pip="$tmp/venv/bin/pip --disable-pip-version-check install --quiet --no-cache-dir"
$pip numpy==1.26.4 scipy==1.13.1 scikit-learn==1.5.2 pandas==2.2.3 pyyaml tqdm matplotlib seaborn mypy-extensions
$pip --no-deps --ignore-requires-python obp==0.5.7
"$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version
from types import ModuleType
from unittest.mock import MagicMock

sys.modules["torch"] = MagicMock()
package = ModuleType("obp")  # without the package's own imports, which need the real torch
package.__path__ = [f"{path}/obp" for path in sys.path if path.endswith("site-packages")]
sys.modules["obp"] = package

import numpy as np
from obp.ope.estimators import SelfNormalizedInverseProbabilityWeighting

print("obp", version("obp"))
rng = np.random.default_rng(0)
n = 2000
first = rng.uniform(0.05, 0.95, n)  # the logging policy's probability of action 0 of two
action = (rng.random(n) > first).astype(int)
propensity = np.where(action == 0, first, 1 - first)
always_first = np.zeros((n, 2, 1))
always_first[:, 0, 0] = 1
click = (rng.random(n) < 0.3).astype(float)
weight = (action == 0) / propensity


def widths(reward):
    snips = SelfNormalizedInverseProbabilityWeighting()
    log = dict(reward=reward, action=action, pscore=propensity, action_dist=always_first)
    value = snips.estimate_policy_value(**log)
    interval = list(snips.estimate_interval(**log, n_bootstrap_samples=1000, random_state=1).values())[1:]
    picks = rng.integers(n, size=(1000, n))
    proper = np.percentile((weight * reward)[picks].sum(1) / weight[picks].sum(1), [2.5, 97.5])
    print(f"  estimate {value:.3f}, obp's interval [{interval[0]:.3f}, {interval[1]:.3f}], normalized in each sample [{proper[0]:.3f}, {proper[1]:.3f}]")
    return value, interval[1] - interval[0], proper[1] - proper[0]


print("all rewards 1:")
one = widths(np.ones(n))
print("clicks at a rate of .3:")
plain = widths(click)
print("the same clicks + 10:")
shifted = widths(click + 10)
as_seen = (
    abs(one[0] - 1) < 1e-9 and one[1] > 0.05 and one[2] < 1e-9
    and abs(shifted[0] - plain[0] - 10) < 1e-9 and shifted[1] > 8 * plain[1] and abs(shifted[2] / plain[2] - 1) < 0.2
)
sys.exit(0 if as_seen else "not as recorded")
PYTHON
