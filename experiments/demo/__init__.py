"""The whole loop in one command, with a live screen, an audit and a report.

Imports `people` and `servers`. Read first: `run.py`.
"""
