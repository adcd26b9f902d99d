"""Records between their bytes and their meaning: envelopes as they are read, parts of a poll, arrays in a checkpoint.

The types themselves are the apps' as well and lie in `groundswell/events.py`. May import `groundswell` alone. Read
first: `envelopes.py`.
"""
