"""Logs that exist become impressions and feedback again: mappings, rows, DSJSON, and the pace at which they are sent.

Imports `kafka` (a producer), `settings` and `groundswell`. Read first: `mapping.py`, what a log is declared to be; then
`replay.py`.
"""
