"""Workers and brokers die while impressions flow; an audit that trusts no worker says whether anything was lost.

May import `people` and `servers`. Read first: `run.py`, then `audit.py`.
"""
