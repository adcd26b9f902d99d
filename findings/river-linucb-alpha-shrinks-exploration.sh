#!/usr/bin/env bash
# Library: river 0.26.1, bandit.LinUCBDisjoint (next to mabwiser 2.7.4's LinUCB).
# Guess: alpha is LinUCB's alpha, the width of the confidence bound, as in the paper, mabwiser, coba and contextualbandits: more alpha,
#   more exploration, 0 none.
# Seen: alpha is the precision of the prior of each arm's regression. The bound is always the mean plus ONE standard deviation of a
#   prediction, noise included, so that a bonus of 1 never goes away, and with more alpha a new arm's bonus over a known
#   arm's gets SMALLER: from 9 at .01 to 0 at 100. With two arms that click at .3 and .5, more alpha locks more runs onto the
#   worse arm for good.
# Hurts: whoever carries settings over from another library, or raises alpha because a policy is stuck: it sticks more.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check river==0.26.1 mabwiser==2.7.4
"$tmp/venv/bin/python" - <<'PYTHON'
import random
import sys
from importlib.metadata import version

from mabwiser.mab import MAB, LearningPolicy
from river import bandit

ALPHAS = 0.01, 0.1, 1, 10, 100
print("river", version("river"), "mabwiser", version("mabwiser"))


def bonus_of_a_new_arm(alpha):
    """How much more is added for an arm that was never played than for one that was played twenty times."""
    policy = bandit.LinUCBDisjoint(alpha=alpha, seed=1)
    for _ in range(20):
        policy.update("known", {"bias": 1.0}, 1.0)
    known, new = (policy._bayes_lin_regs[arm].predict_one({"bias": 1.0}, with_dist=True).sigma for arm in ("known", "new"))
    return float(new - known)


def mabwiser_bonus(alpha):
    policy = MAB(["known", "new"], LearningPolicy.LinUCB(alpha=alpha))
    policy.fit(["known"] * 20, [0.0] * 20, [[1.0]] * 20)  # rewards of 0: what is expected is the bonus
    bounds = policy.predict_expectations([[1.0]])
    return float(bounds["new"] - bounds["known"])


def runs_stuck(alpha, runs=40, decisions=500):
    stuck = 0
    for seed in range(runs):
        policy, clicks = bandit.LinUCBDisjoint(alpha=alpha, seed=seed), random.Random(seed)
        better = 0
        for _ in range(decisions):
            arm = policy.pull(["worse", "better"], context={"bias": 1.0})
            better += arm == "better"
            policy.update(arm, {"bias": 1.0}, float(clicks.random() < (0.5 if arm == "better" else 0.3)))
        stuck += better < decisions / 10
    return stuck


river, mabwiser = [bonus_of_a_new_arm(alpha) for alpha in ALPHAS], [mabwiser_bonus(alpha) for alpha in ALPHAS]
stuck = {alpha: runs_stuck(alpha) for alpha in (0.1, 1, 10, 100)}
for alpha, ours, theirs in zip(ALPHAS, river, mabwiser):
    print(f"alpha {alpha}: a new arm's bonus over a known one's: river {ours:.3f}, mabwiser {theirs:.3f}")
print("of 40 runs, stuck on the worse arm in river, by alpha:", stuck)
as_seen = river == sorted(river, reverse=True) and mabwiser == sorted(mabwiser) and river[0] > 8 and river[-1] < 0.01
sys.exit(0 if as_seen and stuck[100] > stuck[0.1] else "not as recorded")
PYTHON
