"""`groundswell doctor`: looks at Kafka and at what lies on it, and says what keeps groundswell from working well.

May import `worker` and what is below it. Read first: `examination.py`, which lists the looks; then
`findings.py`, the pure half: what is made of what was seen.
"""
