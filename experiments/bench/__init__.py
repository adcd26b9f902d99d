"""Benchmarks, and the peers that run beside us in them: how fast, how soon, how large.

May import every other room: what an experiment's result is from `papers`, a phase to restart in from `chaos`. Read
first: `race.py`, how contenders are watched; then the benchmark of the name that you ran.
"""
