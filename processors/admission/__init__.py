"""What is let in: raw records become impressions, feedback and interactions, or are refused with a reason.

May import `join` (the entries that the fold takes), `features` and what is below them. Read first:
`event_records.py`.
"""
