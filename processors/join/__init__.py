"""The join of impressions with their feedback, in event time: a fold, its deadlines, and interactions as written.

May import `models`, `wire` and `groundswell`. Read first: `fold.py`, whose docstring is the join's definition.
"""
