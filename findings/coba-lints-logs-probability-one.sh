#!/usr/bin/env bash
# Library: coba 8.1.0 (numpy 2.4.6), LinTSLearner.
# Guess: predict() returns the action and the probability with which Thompson sampling plays it, as coba's other learners do; score() gives
#   that probability for any action; seed= makes runs differ.
# Seen: a draw of the weights is made first, and the probability is that of the action GIVEN the draw: 1.0 for every action it ever plays,
#   while it plays now this one, now that. score() makes a draw of its own and answers 0.0 or 1.0, each time anew. The generator of the
#   draws is seeded with 1 whatever seed= says, so that all "seeds" are one run.
# Hurts: whoever logs coba's Thompson sampling and evaluates or learns off-policy from the log: the weights are all 0 or 1, so an action that
#   is played in 4 of 10 cases is valued at 4 tenths of what it earns, with the most regular weights there are; and whoever
#   repeats an experiment over seeds: its spread is that of the environment alone, 0 on one log.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check coba==8.1.0 numpy==2.4.6
"$tmp/venv/bin/python" - <<'PYTHON'
import sys
from collections import Counter
from importlib.metadata import version

from coba.learners import BanditEpsilonLearner, LinTSLearner
from coba.random import CobaRandom

print("coba", version("coba"))
ARMS, CLICKS, PULLS = [(1, 0), (0, 1)], {(1, 0): 0.3, (0, 1): 0.3}, 2000


def log(learner):
    """(action, logged probability, click) of each pull; and the scores of the first arm just before each."""
    draw, rows, scores = CobaRandom(5), [], []
    for _ in range(PULLS):
        scores.append(learner.score(None, ARMS, ARMS[0]))
        action, probability = learner.predict(None, ARMS)[:2]
        click = float(draw.random() < CLICKS[action])
        learner.learn(None, action, click, probability)
        rows.append((action, probability, click))
    return rows, scores


estimates = {}
for name, learner in ("LinTS", LinTSLearner(features=["a"])), ("epsilon-greedy", BanditEpsilonLearner(epsilon=0.5)):
    rows, scores = log(learner)
    ips = [sum(click / p for action, p, click in rows if action == arm) / PULLS for arm in ARMS]
    weights = sum((action == arm) / p for action, p, _ in rows for arm in ARMS) / PULLS / 2  # should be 1
    shares = [sum(action == arm for action, *_ in rows) / PULLS for arm in ARMS]
    estimates[name] = ips, weights, {p for _, p, _ in rows}, set(scores), shares
    print(f"{name}: played {shares}, logged {sorted({round(p, 3) for _, p, _ in rows})}, scores of the first {dict(Counter(scores))}")
    print(f"  IPS of always the one, always the other, which earn .3: {[round(v, 3) for v in ips]}; mean weight {weights:.2f}")
runs = [[action for action, *_ in log(LinTSLearner(features=["a"], seed=seed))[0]] for seed in (1, 2, 99)]
print("LinTS plays the same with the seeds 1, 2 and 99:", runs[0] == runs[1] == runs[2])
ips, weights, logged, scores, shares = estimates["LinTS"]
as_seen = logged == {1.0} and scores == {0.0, 1.0} and all(share > 0.05 for share in shares) and weights == 0.5
as_seen &= 0.25 < sum(ips) < 0.35 and abs(estimates["epsilon-greedy"][1] - 1) < 0.1
as_seen &= all(0.25 < value < 0.35 for value in estimates["epsilon-greedy"][0]) and runs[0] == runs[1] == runs[2]
sys.exit(0 if as_seen else "not as recorded")
PYTHON
