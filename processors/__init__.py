"""Pure logic: no Kafka, no event loop, no clock, no environment. Time and randomness are passed in.

Rooms, each importing only from those after it: `policies` and `learners`, `admission`, `join` and `features`, `models`
and `wire`; all may import `groundswell`. Nothing here knows of `state` or `streams`. Begin with `join/fold.py` and
`learners/learner.py`: the two ends of the way from an impression to a policy.
"""
