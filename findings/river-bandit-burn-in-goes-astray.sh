#!/usr/bin/env bash
# Library: river 0.26.1, bandit.LinUCBDisjoint, bandit.BayesUCB and bandit.Exp3.
# Guess: burn_in=n, a parameter of every policy, has each arm played n times first.
# Seen: LinUCBDisjoint and BayesUCB hand it to their base class in the place of the reward scaler: no arm is burnt in, and the
#   first update() raises AttributeError ('int' object has no attribute '_update'). Exp3 does burn in, but has no probability for an arm
#   that was played so: its first update() raises KeyError. UCB and EpsilonGreedy do as they should.
# Hurts: whoever sets the parameter, and finds out at the first reward, which on a stream of delayed feedback comes long
#   after the policy began to decide.
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
seen = {}
for policy in (
    bandit.LinUCBDisjoint(burn_in=3, seed=1),
    bandit.BayesUCB(burn_in=3, seed=1),
    bandit.UCB(delta=1, burn_in=3, seed=1),
    bandit.EpsilonGreedy(epsilon=0.1, burn_in=3, seed=1),
    bandit.Exp3(gamma=0.1, burn_in=3, seed=1),
):
    context = ({"bias": 1.0},) if isinstance(policy, bandit.base.ContextualPolicy) else ()
    try:
        for _ in range(6):
            policy.update(policy.pull(["a", "b"], *context), *context, 1.0)
        outcome = dict(policy._counts)
    except (AttributeError, KeyError) as error:
        outcome = repr(error)
    seen[type(policy).__name__] = policy.burn_in, policy.reward_scaler, outcome
    print(f"{type(policy).__name__}: burn_in {policy.burn_in}, reward_scaler {policy.reward_scaler}, after 6 decisions or fewer: {outcome}")
astray = 0, 3, """AttributeError("'int' object has no attribute '_update'")"""
fine = 3, None, {"a": 3, "b": 3}
sys.exit(0 if list(seen.values()) == [astray, astray, fine, fine, (3, None, "KeyError('a')")] else "not as recorded")
PYTHON
