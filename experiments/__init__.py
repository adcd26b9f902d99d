"""Simulated people, the papers' experiments, the demo, chaos and benchmarks. Nothing else imports it.

Rooms, each of which may import from those after it: `bench`, `demo`, `chaos` and `papers`, `people`, `servers`. Read
first: `papers/runs_and_bars.py`.
"""
