"""`groundswell evaluate-policy`: what policies would have earned on a log, and first what the log cannot speak of.

May import `replay`, by which logs are read, and what is below it. Read first: `evaluation.py`, then `rewarded.py`,
where rewards come from.
"""
