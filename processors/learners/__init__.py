"""What learns: feedback -> reward -> bandit, compiled or by River, alone or in shards, each once by a ledger.

May import `admission` (interactions as they arrive), `features` and what is below them. Read first:
`reward_rules.py`, the rules and where from; then `learner.py`, what all learners share, and `three_state.py`, the
step of the default (`kernel.py`: that of the papers' rules).
"""
