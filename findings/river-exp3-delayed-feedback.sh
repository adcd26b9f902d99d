#!/usr/bin/env bash
# Library: river 0.26.1, bandit.Exp3.
# Guess: update(arm, reward) divides the reward by the probability with which that arm was pulled, so it can be called when the
#   reward arrives, after other pulls, as with the other policies (LinUCB, UCB, Thompson).
# Seen: it keeps the probabilities of the LAST pull only. Feedback that comes after another pull is divided by that pull's
#   probability of the arm; where the arm was not on offer there, update() raises KeyError and the reward is lost, after it has
#   been counted in the ranking. There is no way to hand the right probability in. The two pulls need not be of one user.
# Hurts: every stream in which feedback comes later than the next decision, that is every one: with sets of arms that change by
#   request, the importance weights are those of another request.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check river==0.26.1
"$tmp/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from river import bandit

print("river", version("river"))
ALL = ["a", "b", "c", "d"]


def weight_of_a(pulls_in_between):
    """Pull until "a" is played out of four equal arms, let other requests be served, then reward "a" with 1."""
    policy = bandit.Exp3(gamma=0.5, seed=1)
    while policy.pull(ALL) != "a":
        pass
    for arms in pulls_in_between:
        policy.pull(arms)
    try:
        policy.update("a", 1.0)
    except KeyError as error:
        return f"KeyError({error}), with {policy._counts['a']} reward of a counted all the same"
    return round(policy._weights["a"], 4)


prompt = weight_of_a([])
narrower = weight_of_a([["a", "b"]])
without = weight_of_a([["c", "d"]])
print("weight of a, pulled with probability 1/4, after one reward of 1")
print("  rewarded at once:                                ", prompt, "= exp(.5 / (1/4) / 4)")
print("  rewarded after a pull out of a and b:            ", narrower, "= exp(.5 / (1/2) / 4)")
print("  rewarded after a pull out of c and d:            ", without)
sys.exit(0 if (prompt, narrower) == (1.6487, 1.284) and str(without).startswith("KeyError('a'), with 1") else "not as recorded")
PYTHON
