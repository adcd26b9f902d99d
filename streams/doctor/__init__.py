"""`groundswell doctor`: looks at Kafka and at what lies on it, and says what keeps groundswell from working well.

Imports `worker`, `kafka` and `settings`. Read first: `findings.py`, the pure half: what is made of what was seen.
"""
