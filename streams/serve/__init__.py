"""Decisions over HTTP: apps ask `groundswell serve`, and get an action with its propensity.

May import `kafka` and what is below it. It decides and writes by `groundswell.client` and nothing of its own. Needs the
extra `serve`. Read first: `api.py`, what is asked and what comes of it; then `server.py`, how it is served.
"""
