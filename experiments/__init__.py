"""Simulated people, the papers' experiments, the demo, chaos and benchmarks. Nothing else imports it.

Rooms, each importing only from those after it: `bench`, `demo`, `chaos` and `papers`, `people`, `servers`.
"""
