#!/usr/bin/env bash
# Library: mabwiser 2.7.4.
# Guess: LearningPolicy.Softmax(tau) plays each arm with its softmax probability, and predict_expectations(), which gives numbers that
#   add up to 1, gives those probabilities: what one logs as propensities.
# Seen: both calls draw from a Dirichlet distribution with the softmax as its parameters; predict() plays the largest
#   component of one draw, predict_expectations() shows another draw. So two calls in a row give wholly different "probabilities",
#   and the arms are played neither with them nor with the softmax: ten arms with a softmax of .757 and nine times .027 are
#   played .80 and .022, one weight in five off. LearningPolicy.Popularity does the same.
# Hurts: whoever logs propensities of a mabwiser policy for off-policy learning or evaluation: importance weights of the
#   expectations are noise with infinite variance, those of the softmax are biased by a fifth for every rare arm.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check mabwiser==2.7.4
"$tmp/venv/bin/python" - <<'PYTHON'
import math
import sys
from collections import Counter
from importlib.metadata import version

from mabwiser.mab import MAB, LearningPolicy

ARMS, PULLS, TAU = list("abcdefghij"), 20_000, 0.3
print("mabwiser", version("mabwiser"))
policy = MAB(arms=ARMS, learning_policy=LearningPolicy.Softmax(tau=TAU), seed=7)
policy.fit(ARMS, [1] + [0] * 9)  # one reward in "a", none in the nine others
total = math.exp(1 / TAU) + 9
softmax = {arm: (math.exp(1 / TAU) if arm == "a" else 1) / total for arm in ARMS}

shown = [policy.predict_expectations() for _ in range(2)]
for expectations in shown:
    print(f"expectations, sum {sum(expectations.values()):.3f}: a {expectations['a']:.4f}, b {expectations['b']:.2e}")
played = Counter(policy.predict() for _ in range(PULLS))
share, rare = played["a"] / PULLS, sum(played[arm] for arm in ARMS[1:]) / PULLS / 9
print(f"softmax: a {softmax['a']:.4f}, each other {softmax['b']:.4f}; played: a {share:.4f}, each other {rare:.4f}")
# the self-check that a log's propensities should pass: the mean of 1/p over the pulls is the number of arms
print(f"mean of 1/softmax over the pulls, which should be {len(ARMS)}: {sum(n / softmax[arm] for arm, n in played.items()) / PULLS:.2f}")
off = (share - softmax["a"]) / math.sqrt(softmax["a"] * (1 - softmax["a"]) / PULLS)
print(f"off by {off:.0f} standard errors")
as_seen = shown[0] != shown[1] and all(abs(sum(s.values()) - 1) < 1e-9 for s in shown) and off > 8 and 0.75 < rare / softmax["b"] < 0.87
sys.exit(0 if as_seen else "not as recorded")
PYTHON
