"""Durability: what must survive a crash, and how it is written. May import processors, never streams.

The join's segments and mark (`join_journal.py`, on the table of `segment_table.py`), payloads that wait on disk
(`spill.py`), the learners' checkpoints (`learner_checkpoints.py`). Read first: `join_journal.py`.
"""
