"""Logs that exist become impressions and feedback again: read row by row, checked as the worker would, sent at a pace.

Imports `kafka` (a producer), `settings`, `groundswell` and the worker's admission. Read first: `mapping.py`, what a log
is declared to be; then `log_files.py`, how it is read, `examination.py`, how it is checked, and `replay.py`.
"""
