"""From contexts and actions to rows of hashed features: each distinct text is looked into and hashed once.

The recipe of the hashes is the apps' as well and lies in `groundswell/features.py`; what is here makes it fast. May
import `models`, `wire`, `compiled.py` and `groundswell`. Read first: `feature_store.py`, then `known_texts.py`.
"""
