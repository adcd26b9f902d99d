"""Benchmarks, and the peers that run beside us in them: how fast, how soon, how large.

Imports `papers` (what an experiment's result is), `people` and `servers`. Read first: `race.py`, how contenders are
watched; then the benchmark of the name that you ran.
"""
