"""Pure logic: no Kafka, no event loop, no clock, no environment. Time and randomness are passed in.

Rooms, each of which may import from those after it: `policies` and `learners`, `admission`, `join` and `features`,
`models`, `wire` and `evaluation`, then `memory_access.py` (what compiled code asks of memory) and `compiled.py` (how
functions are compiled, and when what was kept on disk holds); all may import `groundswell`, and nothing of `state` or
`streams`. Read first: `join/fold.py` and `learners/learner.py`, the two ends of the way from an impression to a policy.
"""
