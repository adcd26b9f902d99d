"""Logs that exist become impressions and feedback again: mappings, rows, DSJSON, and the pace at which they are sent.

May import `kafka` (a producer) and what is below it. Read first: `mapping.py`, what a log is declared to be; then
`replay.py`.
"""
