"""Off-policy evaluation: what a policy that did not act would have earned, from what was logged, and how sure that is.

May import nothing of the other rooms. Read first: `confidence_sequence.py`, then `gate.py`.
"""
