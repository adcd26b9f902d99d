#!/usr/bin/env bash
# Library: mab2rec 1.3.1 (mabwiser 2.7.4, jurity 2.1.0, pandas 2.3.3), BanditRecommender.recommend().
# Guess: "up to k arms with the highest predicted expectations", whatever the reward is measured in; the sigmoid that is applied to
#   scores is monotone, so that it changes no ranking; and where arms are excluded the best k of the others are recommended.
# Seen: the ranking is made of the sigmoids in floating point, and of 37 and more each is 1.0 exactly: dwell times in seconds, prices or points
#   tie, and which arms are recommended depends on their places in the list alone, for every user alike. predict() plays the best one.
#   apply_sigmoid=False ranks rightly, but there an excluded arm gets the score -1 before the best k are cut off, and is then left out:
#   with expectations below -1 (costs) the list is short, or empty, though there are arms enough.
# Hurts: whoever recommends by watch time or revenue at the defaults: offline metrics are those of a fixed list, whichever policy is tried, and
#   nothing is raised; and whoever learns costs and excludes what was seen: the more was seen, the fewer recommendations.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
# what it draws charts with is left out
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check --no-deps mab2rec==1.3.1 mabwiser==2.7.4 jurity==2.1.0
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check numpy==1.26.4 pandas==2.3.3 scipy==1.17.1 scikit-learn==1.9.1
OPENBLAS_NUM_THREADS=1 "$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

from mab2rec import BanditRecommender, LearningPolicy

print(*(f"{name} {version(name)}" for name in ("mab2rec", "mabwiser")))


def recommender(means, contexts=None):
    """Greedy, and taught each arm's mean reward; with contexts, by ridge regression on a constant."""
    policy = LearningPolicy.EpsilonGreedy(epsilon=0.0) if contexts is None else LearningPolicy.LinGreedy(epsilon=0.0)
    taught = BanditRecommender(policy, top_k=3)
    arms = list(means) * 1000
    taught.fit(decisions=arms, rewards=[means[arm] for arm in arms], contexts=contexts and contexts * len(arms))
    return taught


SECONDS = {"trailer": 45.0, "short": 60.0, "series": 1500.0, "film": 5400.0, "advert": 40.0}
watch = recommender(SECONDS)
plain, raw = watch.recommend(return_scores=True), watch.recommend(apply_sigmoid=False)
print(f"seconds watched {SECONDS}: recommended {plain[0]}, scores {plain[1]}; predict() {watch.predict()}; without the sigmoid {raw}")
turned = recommender(dict(zip(SECONDS, reversed(SECONDS.values()))))
print(f"the times given to the arms in reverse: recommended {turned.recommend()}, predict() {turned.predict()}")
minutes = recommender({arm: seconds / 600 for arm, seconds in SECONDS.items()}).recommend()
print(f"the same in units of ten minutes: {minutes}")

COSTS = {"a": -2.0, "b": -3.0, "c": -4.0, "d": -5.0, "e": -6.0}
costs = recommender(COSTS, contexts=[[1.0]])
lists = {}
for excluded in [], ["e"], ["d", "e"], ["c", "d", "e"]:
    lists["".join(excluded)] = costs.recommend([[1.0]], excluded_arms=[excluded], apply_sigmoid=False)
print(f"costs {COSTS}: recommended, by what is excluded, {lists}")
as_seen = plain[1] == [1.0] * 3 and turned.recommend() == plain[0] and raw == minutes == ["film", "series", "short"]
as_seen &= watch.predict() == "film" and turned.predict() == "short"
as_seen &= [len(recommended) for recommended in lists.values()] == [3, 2, 1, 0]
sys.exit(0 if as_seen else "not as recorded")
PYTHON
