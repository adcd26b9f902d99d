"""Fuzzing what reads the bytes of others: one target a file, messages drawn from the wire's own types, and mutated.

May import `bench`, whose worker runs between lists. Read first: `target.py`, what a target is; then `admission.py`.
"""
