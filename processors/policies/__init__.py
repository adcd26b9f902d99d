"""What can be said of published policies from the interactions that come back: their worth, and their propensities.

The snapshot itself is the apps' as well and lies in `groundswell/policy.py`. May import what `learners` may, and
nothing of it. Read first: `policy_watch.py`.
"""
