"""The worker: partitions and their turns, what a batch does to a join or a learner, and where its outputs go.

May import `kafka`, `observing`, `settings`, state and processors; of what is served or asked of it from outside
(`http`, `doctor`) it knows nothing. Read first: `agents.py`, then `partition_join.py` and `partition_learner.py`.
"""
