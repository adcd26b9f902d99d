"""What the worker says of itself: metrics, delays, segments, logs, and whether it still gets anywhere.

May import `settings.py` and processors. Read first: `metrics.py`, where every metric is declared once.
"""
