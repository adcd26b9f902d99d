"""How a page's readers react in each state, estimated from the totals of its posts by one procedure for all pages.

The authors grouped a page's reactions by k-means on their correlations (ICLR 2023, Fig. 9 and appendix). That depends
on the start for every page but one. This does not:

1. Of each post the counts of the eight reactions, each plus a half, become logarithms, less their mean over the eight:
   the centred log-ratio, which compares reactions within a post, however many readers it had (Aitchison 1986).
2. A reaction goes with anger by so much as it correlates over the posts with `angry` more than with `love`. From
   `APART` on it is one of the state -1; of +1 from as much on the other side; of 0 between. `angry` and `love` name
   their own.
3. In -1 and +1 a reader reacts in proportion to the page's totals of that state's reactions. In 0 nine of ten do
   nothing, as with the authors, the others in proportion to the totals of its reactions; all do nothing where it has
   none.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

REACTIONS: Final = ("like", "comment", "share", "love", "wow", "haha", "sad", "angry")
APART: Final = 0.25
SILENT: Final = 0.9
Emissions = NDArray[np.float64]


def estimated(totals: NDArray[np.float64]) -> Emissions:
    """Return the probabilities of `none` and each of `REACTIONS`, (3, 9), in the states -1, 0 and +1.

    `totals` (posts, 8) are how often each reaction was given to each post.

    Raises:
        ValueError: there are fewer than three posts, or none of them has made somebody angry, or love it.
    """
    angry, love = REACTIONS.index("angry"), REACTIONS.index("love")
    if len(totals) < 3 or not totals[:, angry].any() or not totals[:, love].any():
        raise ValueError(f"{len(totals)} posts do not tell what goes with anger and what with love: give probabilities")
    logarithms = np.log(totals + 0.5)
    together = np.corrcoef((logarithms - logarithms.mean(axis=1, keepdims=True)).T)
    anger = together[angry] - together[love]
    state = np.where(anger >= APART, -1, np.where(anger <= -APART, 1, 0))
    state[angry], state[love] = -1, 1
    given = totals.sum(axis=0)
    result = np.zeros((3, len(REACTIONS) + 1))
    for row, of in enumerate((-1, 0, 1)):
        result[row, 1:] = np.where(state == of, given, 0.0)
        result[row] /= max(result[row].sum(), 1.0)
    result[1] *= 1 - SILENT
    result[1, 0] = 1 - result[1, 1:].sum()
    return result
