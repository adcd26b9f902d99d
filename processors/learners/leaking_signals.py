"""Signals that tell which action was shown whatever the person thinks of it: found by asking what foretells them.

Interaction-Grounded Learning rests on feedback that depends on the action only through the reward. A video that plays
by itself, the length of an answer or a position on the page break it: their signal is foretold by the action alone,
and who saw it adds nothing. An honest signal depends on both as long as tastes differ. Both are measured by how much
squared error a rate by action saves over the overall rate, and a rate by person and action over that by action, each
before the interaction is counted. Rates given person and action do not depend on the policy that showed it.

Where no signal at all depends on the person, everybody has the same tastes or nothing tells people apart: then nothing
can be found, and nothing is.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from processors.compiled import borrowing
from processors.features.crosses import cross

MOST_SIGNALS: Final = 15
"""Of the signals, the first so many that come are watched."""
COLUMNS: Final = MOST_SIGNALS + 1
"""Of a row of counts: plays, then how many of them brought each watched signal."""
# Columns of a row of a watched signal.
SIGNAL, CAME, BY_ACTION, BY_PERSON, BASE = range(5)
WATCHED: Final = 5
PRIOR: Final = 2.0
LEAST_CAME: Final = 500.0
LEAST_BY_ACTION: Final = 0.05
"""Share of its squared error that the action must explain before a signal may be said to tell it."""
MOST_BY_PERSON: Final = 0.03
"""What the person may add to that, as a share of it."""
LEAST_TASTE: Final = 0.008
"""Share that the person must explain of some signal, or tastes do not differ."""
MOST_OF_ONE: Final = 0.5
EVERYBODY: Final = np.uint64(0x7F4A7C15)


@borrowing
def person(features, context_row):
    """Return one hash of the categories of a context, 0 where it has none."""
    context_start, context_hash, context_value, _, _, _, _, _ = features
    begin, end = context_start[context_row], context_start[context_row + 1]
    found = np.uint64(0)
    for c in range(begin + 1, end):
        if context_value[c] == 1.0:
            found = cross(found, context_hash[c])
    return found


@borrowing
def number_of(watched, signal):
    """Return the number of a watched signal, a new one if there is room, else -1."""
    for i in range(len(watched)):
        if watched[i, CAME] == 0.0:
            watched[i, SIGNAL] = np.float64(signal)
            return i
        if watched[i, SIGNAL] == np.float64(signal):
            return i
    return -1


@borrowing
def watch(watched, counts, features, context_row, action, signal):
    """Learn from one interaction what foretells each signal. `counts` has 2^bits rows of `COLUMNS`."""
    who = person(features, context_row)
    if who == np.uint64(0):
        return
    mask = np.uint64(len(counts) - 1)
    total = counts[0]
    of_action = counts[np.int64(cross(EVERYBODY, action) & mask)]
    of_both = counts[np.int64(cross(who, action) & mask)]
    came = number_of(watched, signal)
    # Who alone is shown an action cannot be told from it: such plays say nothing about whose doing the signal is.
    telling = 1.0 if of_both[0] <= MOST_OF_ONE * of_action[0] else 0.0
    for i in range(len(watched)):
        if watched[i, CAME] == 0.0 and i != came:
            break
        y = 1.0 if i == came else 0.0
        base = (total[i + 1] + 1.0) / (total[0] + PRIOR)
        by_action = (of_action[i + 1] + PRIOR * base) / (of_action[0] + PRIOR)
        by_person = (of_both[i + 1] + PRIOR * by_action) / (of_both[0] + PRIOR)
        error = (y - by_action) * (y - by_action)
        watched[i, BASE] += telling * (y - base) * (y - base)
        watched[i, BY_ACTION] += telling * ((y - base) * (y - base) - error)
        watched[i, BY_PERSON] += telling * (error - (y - by_person) * (y - by_person))
        total[i + 1] += y
        of_action[i + 1] += y
        of_both[i + 1] += y
    total[0] += 1.0
    of_action[0] += 1.0
    of_both[0] += 1.0
    if came >= 0:
        watched[came, CAME] += 1.0


@borrowing
def leaks(watched, signal):
    """Return whether a signal tells the action whatever is felt, as far as was seen."""
    tastes = 0.0
    place = -1
    for i in range(len(watched)):
        if watched[i, CAME] == 0.0:
            break
        tastes = max(tastes, watched[i, BY_PERSON] / max(watched[i, BASE], 1.0))
        if watched[i, SIGNAL] == np.float64(signal):
            place = i
    if place < 0 or watched[place, CAME] < LEAST_CAME or tastes < LEAST_TASTE:
        return False
    by_action = watched[place, BY_ACTION]
    return by_action > LEAST_BY_ACTION * watched[place, BASE] and watched[place, BY_PERSON] < MOST_BY_PERSON * by_action
