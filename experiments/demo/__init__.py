"""The whole loop in one command, with a live screen, an audit and a report.

May import `people` and `servers`. Read first: `run.py`.
"""
