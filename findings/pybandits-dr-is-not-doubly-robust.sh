#!/usr/bin/env bash
# Library: pybandits 8.4.1, offline_policy_estimator.DoublyRobust, SwitchDoublyRobust and SubGaussianInverseProbabilityWeighting.
# Guess: the estimators of the papers named in their documentation. DoublyRobust (Dudik and others) is right where the reward model is right,
#   whatever the propensities; Switch-DR (Wang and others) drops the weights ABOVE its threshold, so its default of infinity is plain
#   DR, and obp's is; the sub-Gaussian weights (Metelli and others) shrink with shrinkage_factor.
# Seen: the correction takes the model's mean over the policy off the reward, not the model's value of the logged action. So with the exact
#   model and wrong propensities DR gives .34 for a policy worth .49; the textbook gives .49. Switch-DR keeps the weights AT OR ABOVE the
#   threshold and drops the small ones: its default is the direct method to the last digit, and lowering the threshold for less
#   variance brings in the largest weights first. shrinkage_factor changes nothing: the function that uses it is never called.
# Hurts: whoever takes DR for safety against wrongly logged propensities, or Switch-DR against large weights: they get neither, under
#   the papers' names; by default "Switch-DR" agrees with "DM" perfectly, which looks like a confirmation.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
# the estimators take few of pybandits' requirements; its models need jax, numpyro and more
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check --no-deps pybandits==8.4.1
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check numpy==1.26.4 scipy==1.17.1 pydantic==2.14.4 loguru==0.6.0 bokeh==3.9.2
OPENBLAS_NUM_THREADS=1 "$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from pybandits.offline_policy_estimator import (
    DirectMethod,
    DoublyRobust,
    InverseProbabilityWeighting,
    SubGaussianInverseProbabilityWeighting,
    SwitchDoublyRobust,
)

print("pybandits", version("pybandits"))
ROWS = 20_000
rng = np.random.default_rng(0)
rows = np.arange(ROWS)
exact = np.array([[0.1, 0.9], [0.6, 0.2]])[rng.integers(0, 2, ROWS)]  # the reward of each action: the model is the truth
action = (rng.random(ROWS) < 0.2).astype(int)
reward = (rng.random(ROWS) < exact[rows, action]).astype(int)
policy = np.tile([0.3, 0.7], (ROWS, 1))
right, wrong = np.array([0.8, 0.2])[action], np.array([0.2, 0.8])[action]
of_model = (policy * exact).sum(1)
truth = of_model.mean()


def pybandits(estimator, propensity=right):
    return estimator.estimate_sample_rewards(
        action=action, reward=reward, propensity_score=propensity, estimated_policy=policy, expected_reward=exact
    ).mean()


def textbook(propensity=right, threshold=np.inf):
    weight = policy[rows, action] / propensity
    return (of_model + np.where(weight <= threshold, weight, 0) * (reward - exact[rows, action])).mean()


robust = pybandits(DoublyRobust()), textbook(), pybandits(DoublyRobust(), wrong), textbook(wrong)
print(f"the policy is worth {truth:.4f}, and the model is exact")
print(f"DR, propensities right: {robust[0]:.4f} (textbook {robust[1]:.4f}); wrong: {robust[2]:.4f} (textbook {robust[3]:.4f})")
direct, plain = pybandits(DirectMethod()), pybandits(DoublyRobust())
switch = {threshold: pybandits(SwitchDoublyRobust(switch_threshold=threshold)) for threshold in (0.0, 1.0, 3.0, 10.0)}
default = pybandits(SwitchDoublyRobust())
print(f"Switch-DR as it comes {default:.4f}; DM {direct:.4f}, DR {plain:.4f}; the weights are .375 and 3.5")
print(f"  by threshold {({k: round(float(v), 4) for k, v in switch.items()})}")
print(f"  textbook     {({k: round(float(textbook(threshold=k)), 4) for k in switch})}")
shrunk = [pybandits(SubGaussianInverseProbabilityWeighting(shrinkage_factor=factor)) for factor in (0.0, 0.5, 1.0)]
ipw = pybandits(InverseProbabilityWeighting())
print(f"sub-Gaussian IPW with factors 0, .5 and 1: {[round(float(value), 4) for value in shrunk]}; IPW {ipw:.4f}")
as_seen = abs(robust[1] - truth) < 0.02 and abs(robust[3] - truth) < 0.02 and abs(robust[2] - truth) > 0.1
as_seen &= default == direct == switch[10.0] and switch[0.0] == plain and switch[1.0] == switch[3.0] not in (direct, plain)
as_seen &= shrunk == [ipw] * 3
sys.exit(0 if as_seen else "not as recorded")
PYTHON
