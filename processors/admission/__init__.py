"""What is let in: raw records become impressions, feedback and interactions, or are refused with a reason.

Imports `join` (the entries that the fold takes), `features`, `models`, `wire` and `groundswell`. Read first:
`events.py`.
"""
