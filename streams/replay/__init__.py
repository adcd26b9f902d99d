"""Logs that exist become impressions and feedback again: read row by row, checked as the worker would, sent at a pace.

May import `kafka` (a producer) and what is below it, the worker's admission among it. Read first: `mapping.py`, what a
log is declared to be; then `log_files.py`, how it is read, `examination.py`, how it is checked, and `replay.py`.
"""
