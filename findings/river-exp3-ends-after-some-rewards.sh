#!/usr/bin/env bash
# Library: river 0.26.1, bandit.Exp3.
# Guess: Exp3 runs for as long as the stream does: the weights are normalized at each pull, and implementations keep them so
#   (or their logarithms), since only their ratios matter.
# Seen: the weights are never scaled back. After 14,000 to 24,000 decisions (two arms, gamma .1) one is inf, and from then on
#   every pull() raises ValueError; the policy has to be thrown away, and its pickled snapshots with it. Shorter with a
#   larger gamma, longer with more arms.
# Hurts: an Exp3 policy that is served from a stream: it works in every test and stops some days later, at a moment that is set by
#   the number of rewards, on all replicas of like traffic at about the same time.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check river==0.26.1
"$tmp/venv/bin/python" - <<'PYTHON'
import pickle
import random
import sys
from importlib.metadata import version

from river import bandit

print("river", version("river"))


def decisions_until_it_ends(gamma, rates):
    policy, clicks, arms = bandit.Exp3(gamma=gamma, seed=1), random.Random(0), list(range(len(rates)))
    for n in range(200_000):
        try:
            arm = policy.pull(arms)
        except ValueError as error:
            restored = pickle.loads(pickle.dumps(policy))
            try:
                restored.pull(arms)
            except ValueError:
                return n, f"{error}; largest weight {max(policy._weights.values())}; the same from its snapshot"
            return n, "mended by its snapshot"
        policy.update(arm, float(clicks.random() < rates[arm]))
    return n + 1, "still running"


ends = {}
for gamma, rates in ((0.1, (0.6, 0.4)), (0.1, (1.0, 1.0)), (0.5, (0.6, 0.4)), (0.1, (0.6,) + (0.1,) * 4)):
    ends[gamma, rates] = n, why = decisions_until_it_ends(gamma, rates)
    print(f"gamma {gamma}, click rates {rates}: {n} decisions: {why}")
sys.exit(0 if all("finite" in why and "same" in why and n < 100_000 for n, why in ends.values()) else "not as recorded")
PYTHON
