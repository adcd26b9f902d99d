#!/usr/bin/env bash
# Library: bayesianbandits 1.5.0 (numpy 2.4.6), pull(top_k=k) with ThompsonSampling, EpsilonGreedy and UpperConfidenceBound.
# Guess: "selects top k arms per context" gives the k best, the best first, as every top-k of a recommender does, so that the list can be
#   shown from the first slot down; pull(top_k=k)[0][0] is the arm that pull() would play.
# Seen: the right k arms, in the order in which numpy's partition leaves them, and that is the processor's: with AVX2 or AVX-512 the list
#   comes out sorted, by the way that code happens to work; without them (here switched off by numpy's own variable) the best of
#   20 arms is first in some lengths and in the middle in most. Nothing is random about it: the same arm takes the first slot each time.
# Hurts: whoever fills a slate or a page with it, tests on a PC and serves from other machines, or replays a log on them: the slot that
#   gets most of the clicks goes to a middling arm for good, and NDCG, MRR or a click model blame the policy. Only
#   InformationDirectedSampling says that its order means something.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check bayesianbandits==1.5.0 numpy==2.4.6
cat > "$tmp/slates.py" <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
from bayesianbandits import Agent, Arm, EpsilonGreedy, NormalRegressor, ThompsonSampling, UpperConfidenceBound

ARMS = 20
RANKS = [int(rank) for rank in np.random.default_rng(ARMS).permutation(ARMS) + 1]  # of each arm, 1 is the best
print(*(f"{name} {version(name)}" for name in ("bayesianbandits", "numpy")), "on", sys.argv[1])
as_seen = True
for policy in ThompsonSampling(), EpsilonGreedy(epsilon=0.0), UpperConfidenceBound():
    agent = Agent([Arm(n, learner=NormalRegressor(alpha=1.0, beta=1.0)) for n in range(ARMS)], policy, random_seed=0)
    for arm, rank in enumerate(RANKS):  # it knows all arms well: rewards one apart, 20,000 of each
        agent.select_for_update(arm).update(np.full(20_000, float(-rank)))
    slates = {k: [RANKS[arm] for arm in agent.pull(top_k=k)[0]] for k in range(2, ARMS + 1)}
    again = {k: [RANKS[arm] for arm in agent.pull(top_k=k)[0]] for k in slates}
    best_first = sum(slate[0] == 1 for slate in slates.values())
    in_order = sum(slate == sorted(slate) for slate in slates.values())
    print(f"  {type(policy).__name__}: pull() plays rank {RANKS[agent.pull()[0]]}; top_k=10 gives the ranks {slates[10]}")
    print(f"    of {len(slates)} lengths the best is first in {best_first}, and all are in order in {in_order}")
    as_seen &= RANKS[agent.pull()[0]] == 1 and again == slates
    as_seen &= all(sorted(slate) == list(range(1, k + 1)) for k, slate in slates.items())
    if sys.argv[1] == "one without AVX":
        as_seen &= best_first < len(slates) / 2 and in_order < len(slates) / 4
sys.exit(0 if as_seen else "not as recorded")
PYTHON
export OPENBLAS_NUM_THREADS=1
"$tmp/venv/bin/python" -W ignore "$tmp/slates.py" "this processor"
NPY_DISABLE_CPU_FEATURES="X86_V3 X86_V4 AVX512_ICL AVX512_SPR" "$tmp/venv/bin/python" -W ignore "$tmp/slates.py" "one without AVX"
