"""How large a record may be that is let in, and how much may be learned from it."""

from __future__ import annotations

from typing import Final

MAX_IMPRESSION_BYTES: Final = 600_000
MAX_FEEDBACK_BYTES: Final = 4_096
"""The largest values let in. An interaction carries an impression with all its feedback
(`join.MAX_FEEDBACK` pieces), and must stay below the 1 MB that brokers take by default."""
MAX_CONTEXT_FEATURES: Final = 2_000
MAX_CROSSES: Final = 2_000_000
"""The most that is learned from one impression: a few tens of milliseconds' work."""
FEW: Final = 14
"""With so many context features, crossed with one another, and so many actions that have all the features they may, an
impression is within these bounds still."""
