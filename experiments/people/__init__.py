"""Simulated people, the apps they use and the data they are drawn from; and readers of what came of it.

May import `servers`. Read first: `three_state.py`, the papers' people, and `self_play.py`, the loop in which they
meet a learner.
"""
