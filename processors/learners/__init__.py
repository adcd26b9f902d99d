"""What learns: inverse kinematics -> reward -> bandit, compiled or by River, alone or in shards, each once by a
ledger.

May import `admission` (interactions as they arrive), `features` and what is below them. Read first: `learner.py`, one
readable method; then `kernel.py`, the step itself, and `reward_rules.py`, the rules and where from.
"""
