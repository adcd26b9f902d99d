"""Signals that tell which action was shown whatever the person thinks of it: found by asking what foretells them.

Interaction-Grounded Learning rests on feedback that depends on the action only through the reward (Xie et al., ICML
2021). A video that plays by itself, the length of an answer or a position on the page break it: their signal, or the
value that comes with it, is foretold by the action alone, and who saw it adds nothing. An honest signal depends on both
as long as tastes differ. Both are measured by products of deviations, summed over the plays: what a rate by action says
beyond the overall rate, times how far what came was from that; and what a rate by person and action says beyond the one
by action, likewise. Rates are those of earlier plays: the mean of each product is the variance that is explained, times
how far the rate is trusted, however few plays that rests on. Plays count by their importance weight: else an action
that is shown only to those who like it would seem to tell how it is liked. Of a value its quantile is foretold, among
the plays that brought one. That the person adds little has to be sure, by three standard errors.

Persons are told apart by the categories of their context: by all of them together and, in turns, by each of the first
ones. What tells best how tastes differ is what is judged by. Where no signal at all depends on the person, everybody
has the same tastes or nothing tells people apart: then nothing can be found, and nothing is. How far an honest signal
depends on the person rather than on the action alone is a matter of how far tastes differ, so that one is judged by
comparison with the most personal one, too.

A leak comes beside what else people do, or in its place: a player that plays on hides whether there would have been a
click. Both are told apart by how often anything else comes with it, of what comes where it does not. Beside other
feedback, the leak alone means that nothing else came. In the place of it, it means nothing at all: such plays are not
learned from, and since what was learned from them before was wrong, and more so of some actions than of others, little
of what was seen of any counts from then on.

Memory is bounded: of many people and actions those of a sample of the people are counted, which gets smaller as the
table of counts fills.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from processors.compiled import borrowing
from processors.features.crosses import cross
from processors.wire.packed_arrays import unpacked, unpacked_rows
from processors.wire.plain_state import MOST_COUNTED, require

MOST_SIGNALS: Final = 15
"""Of the signals, the first so many that come are watched: their coming, and their values."""
THINGS: Final = 2 * MOST_SIGNALS
PLACES: Final = 8
"""Ways to tell people apart: all categories together, and each of the first ones by itself."""
# Sums of a watched thing in a place: how often it came and might have come, squared deviations, how much of that action
# and person explain, and the squared terms of the last.
CAME, MIGHT, BASE, BY_ACTION, BY_PERSON, SQUARES = range(6)
SUMS: Final = 6
ROWS: Final = 1 << 15
PLAYS: Final = 0
"""Of a row of counts: plays, then how many of them brought each watched signal."""
# And of a row of an action: whom it was shown to last, and how often twice running to the same.
LAST, AGAIN = MOST_SIGNALS + 1, MOST_SIGNALS + 2
COLUMNS: Final = MOST_SIGNALS + 3
# Of a row of counts of values, by signal and whatever foretells them: how many, and the sum of their quantiles.
VALUES, QUANTILES = range(2)
# Of a found signal: the share of its variance that the action explained when it was found, else 0; and whether it
# may be left out.
SHARE, MAY_BE_LEFT_OUT = range(2)
# Of a signal: plays that brought it, and those of them that brought anything else as well; the same of plays without
# it; and whether it comes in the place of what else would have come.
WITH, WITH_MORE, WITHOUT, WITHOUT_MORE, IN_PLACE = range(5)
COMPANY: Final = 5
# Of the pace: plays that were looked at, one in how many persons is, rows of persons in use, and whether it is open of
# some signal if it tells the action.
LOOKS, PERSONS, FILLED, UNDECIDED = range(4)
PACE: Final = 4
BEFORE_UNDECIDED: Final = 3
"""So many of them had states written before it was kept whether anything is undecided."""

FIRST: Final = 20_000
"""So many plays are watched at first, and later one in `EVERY` where all is decided."""
EVERY: Final = 8
DECIDED_EVERY: Final = 500
"""Plays between decisions, counted from the first: how a log is cut into batches changes nothing."""
PRIOR: Final = 2.0
SURE: Final = 3.0
"""Standard errors."""
LEAST_CAME: Final = 200.0
LEAST_BY_ACTION, LEAST_STILL = 0.05, 0.02
"""Share of its variance that the action must explain before a signal is said to tell it, and to stay said so."""
MOST_BY_PERSON, MOST_STILL = 0.1, 0.3
"""What the person may add to that, as a share of it, before it is said, and afterwards."""
MOST_OF_OTHERS: Final = 0.1
"""Nor may it be more than this part of what the person adds to the most personal signal."""
LEAST_TASTE: Final = 0.003
"""Share of their variances that the person must explain of all signals together, for sure, or tastes do not differ."""
MOST_OF_ONE: Final = 0.5
AGAIN_RATE: Final = 0.02
MOST_BESIDE: Final = 0.5
"""Of how often anything else comes without a signal, how much less often with it says that it takes its place."""
MEMORY: Final = 20_000.0
"""How often a thing might have come before its sums are halved, so that what changes is found."""
ROW_MEMORY: Final = 1_000.0
"""Plays of a row of counts before it is halved."""
WEIGHT_CAP: Final = 5.0
EVERYBODY: Final = 0x7F4A7C15

Leaks = tuple[Any, ...]
"""The arrays of `nothing_known`."""


def nothing_known() -> Leaks:
    """Return what is known before anything came: sums (places, things, sums), counts of signals (rows, columns) and of
    values (rows, 2), what was found (signals, 2), the pace (4), and with what else signals come (signals, 5)."""
    pace = np.zeros(PACE)
    pace[PERSONS] = 1.0
    return (
        np.zeros((PLACES, THINGS, SUMS)),
        np.zeros((ROWS, COLUMNS), dtype=np.float32),
        np.zeros((ROWS, 2), dtype=np.float32),
        np.zeros((MOST_SIGNALS, 2)),
        pace,
        np.zeros((MOST_SIGNALS, COMPANY)),
    )


def restored(
    sums: object, counts: object, value_counts: object, found: object, pace: object, company: object, what: str
) -> Leaks:
    """Return the arrays that were packed. Raises `MalformedError` calling them `what`, where they are not these.

    Of a state of before that was kept `company` is None.
    """
    together = np.zeros((MOST_SIGNALS, COMPANY))
    if company is not None:
        together = unpacked(company, np.float64, together.shape, f"{what}, what comes together", signed=False)
    unsigned = range(COLUMNS)
    leaks = (
        unpacked(sums, np.float64, (PLACES, THINGS, SUMS), f"{what}, sums"),
        unpacked_rows(counts, (ROWS, COLUMNS), f"{what}, counts", dtype=np.float32, unsigned=unsigned),
        unpacked_rows(value_counts, (ROWS, 2), f"{what}, counts of values", dtype=np.float32, unsigned=(0, 1)),
        unpacked(found, np.float64, (MOST_SIGNALS, 2), f"{what}, what was found", signed=False),
        np.zeros(PACE),
        together,
    )
    kept = unpacked(pace, np.float64, (None,), f"{what}, its pace", signed=False)
    require(len(kept) in (BEFORE_UNDECIDED, PACE), f"{what}, its pace: {len(kept)} numbers")
    leaks[4][: len(kept)] = kept
    require(bool((leaks[0][:, :, [CAME, MIGHT, BASE, SQUARES]] >= 0.0).all()), f"{what}, sums: a square is below 0")
    # The one is divided by, and both become integers.
    possible = 1.0 <= leaks[4][PERSONS] <= MOST_COUNTED and leaks[4][LOOKS] <= MOST_COUNTED
    require(bool(possible), f"{what}, its pace: impossible")
    return leaks


@borrowing
def is_left_out(leaks, number):
    """Return whether the watched signal of that number was found to tell the action, and may be left out for it."""
    _, _, _, found, _, _ = leaks
    return 0 <= number < MOST_SIGNALS and found[number, SHARE] > 0.0 and found[number, MAY_BE_LEFT_OUT] > 0.0


@borrowing
def is_in_place(leaks, number):
    """Return whether that signal is left out and comes in the place of other feedback: alone it means nothing."""
    return is_left_out(leaks, number) and leaks[5][number, IN_PLACE] > 0.0


@borrowing
def person(features, context_row, turn):
    """Return by what people are told apart this time, and the hash of who came; (-1, 0) without categories."""
    context_start, context_hash, context_value, _, _, _, _, _ = features
    begin, end = context_start[context_row] + 1, context_start[context_row + 1]
    categories, found = 0, np.uint64(0)
    for c in range(begin, end):
        if context_value[c] == 1.0:
            found = cross(found, context_hash[c])
            categories += 1
    if categories == 0:
        return -1, np.uint64(0)
    place = turn % (min(categories, PLACES - 1) + 1) if categories > 1 else 0
    if place > 0:
        left = place
        for c in range(begin, end):
            if context_value[c] == 1.0:
                left -= 1
                if left == 0:
                    found = np.uint64(context_hash[c])
    return place, cross(found, np.uint64(EVERYBODY + 1 + place))


@borrowing
def row_of(key, rows):
    """Return the row of a key in a table of counts; the first rows are those of everybody."""
    found = np.int64(key & np.uint64(rows - 1))
    return found if found >= PLACES else found + PLACES


@borrowing
def foretold(sums, y, weight, base, by_action, by_person):
    """Add a play to the sums of a thing."""
    added = weight * (y - by_action) * (by_person - by_action)
    sums[MIGHT] += weight
    sums[BASE] += weight * (y - base) * (y - base)
    sums[BY_ACTION] += weight * (y - base) * (by_action - base)
    sums[BY_PERSON] += added
    sums[SQUARES] += added * added


@borrowing
def keep_company(row, weight, came, more):
    """Take in whether anything else came with a signal, or without it."""
    column = WITH if came else WITHOUT
    row[column] += weight
    if more:
        row[column + 1] += weight


@borrowing
def takes_the_place(row):
    """Return whether a signal comes in the place of other feedback, as was said before where that is not sure."""
    if row[WITHOUT] == 0.0:
        return row[IN_PLACE] > 0.0
    limit = MOST_BESIDE * row[WITH] * row[WITHOUT_MORE] / row[WITHOUT]
    # As numbers of Poisson's law.
    error = SURE * math.sqrt(1.0 + row[WITH_MORE] + limit * limit / max(row[WITHOUT_MORE], 1.0))
    if row[IN_PLACE] > 0.0:
        return row[WITH_MORE] - error <= limit
    return row[WITH_MORE] + error < limit


@borrowing
def count(row, came, weight):
    """Add a play to a row of counts."""
    if row[PLAYS] >= ROW_MEMORY:
        for i in range(MOST_SIGNALS + 1):
            row[i] *= np.float32(0.5)
    row[PLAYS] += np.float32(weight)
    for i in range(MOST_SIGNALS):
        if came >> i & 1:
            row[1 + i] += np.float32(weight)


@borrowing
def count_value(row, quantile, weight):
    """Add a value to a row of counts."""
    if row[VALUES] >= ROW_MEMORY:
        row[VALUES] *= np.float32(0.5)
        row[QUANTILES] *= np.float32(0.5)
    row[VALUES] += np.float32(weight)
    row[QUANTILES] += np.float32(weight * quantile)


@borrowing
def mean(row, before):
    """Return the mean quantile in a row, drawn to what is known `before`."""
    return (row[QUANTILES] + PRIOR * before) / (row[VALUES] + PRIOR)


@borrowing
def watch(leaks, features, context_row, action, weight, came, more, numbers, quantiles, begin, end):
    """Learn from one play, of that importance weight, what foretells each signal.

    `action` is the hash of what was shown; `came` has a bit for each watched signal that came, and `more` says whether
    anything did that is not left out and does not mean indifference. The values that came are entries `begin` to `end`
    of `numbers`, of their signals (-1 where not watched), and `quantiles`, in [0, 1].
    """
    watched, counts, value_counts, _, pace, company = leaks
    place, who = person(features, context_row, np.int64(pace[LOOKS]))
    pace[LOOKS] += 1.0
    if place < 0 or (who >> np.uint64(8)) % np.uint64(pace[PERSONS]) != np.uint64(0):
        return
    rows = len(counts)
    shown, both = cross(np.uint64(EVERYBODY + place), action), cross(who, action)
    total, of_action, of_both = counts[place], counts[row_of(shown, rows)], counts[row_of(both, rows)]
    if of_both[PLAYS] == 0.0:
        pace[FILLED] += 1.0
    # Who alone is shown an action cannot be told from it: such plays say nothing about whose doing the signal is.
    weight = min(weight, WEIGHT_CAP)
    telling = weight if of_action[AGAIN] <= MOST_OF_ONE else 0.0
    same = 1.0 if of_action[LAST] == np.float32(who & np.uint64(0xFFFFFF)) else 0.0
    of_action[AGAIN] += np.float32(min(AGAIN_RATE * weight, 1.0) * (same - of_action[AGAIN]))
    of_action[LAST] = np.float32(who & np.uint64(0xFFFFFF))
    learned = came
    for i in range(MOST_SIGNALS):
        if came >> i & 1 and is_left_out(leaks, i):
            learned &= ~(1 << i)
    for i in range(MOST_SIGNALS):
        if total[1 + i] == 0.0 and not came >> i & 1:
            continue
        keep_company(company[i], weight, came >> i & 1, learned & ~(1 << i) != 0 if learned >> i & 1 else more)
        y = 1.0 if came >> i & 1 else 0.0
        base = (total[1 + i] + 1.0) / (total[PLAYS] + PRIOR)
        by_action = (of_action[1 + i] + PRIOR * base) / (of_action[PLAYS] + PRIOR)
        by_person = (of_both[1 + i] + PRIOR * by_action) / (of_both[PLAYS] + PRIOR)
        foretold(watched[place, i], y, telling, base, by_action, by_person)
        watched[place, i, CAME] += weight * y
    for v in range(begin, end):
        i = numbers[v]
        if i < 0:
            continue
        key = np.uint64(EVERYBODY + 16 + i)
        everybody = value_counts[row_of(cross(key, np.uint64(place)), rows)]
        by_shown, by_both = value_counts[row_of(cross(key, shown), rows)], value_counts[row_of(cross(key, both), rows)]
        base = mean(everybody, 0.5)
        by_action = mean(by_shown, base)
        foretold(watched[place, MOST_SIGNALS + i], quantiles[v], telling, base, by_action, mean(by_both, by_action))
        watched[place, MOST_SIGNALS + i, CAME] += weight
        count_value(everybody, quantiles[v], weight)
        count_value(by_shown, quantiles[v], weight)
        count_value(by_both, quantiles[v], weight)
    count(total, came, weight)
    count(of_action, came, weight)
    count(of_both, came, weight)
    if pace[FILLED] > 0.5 * rows:
        pace[PERSONS] *= 2.0
        pace[FILLED] = 0.0
        counts[:] = np.float32(0.0)
        value_counts[:] = np.float32(0.0)


@borrowing
def best_place(watched):
    """Return by what people are told apart best, what the person adds to the action's share of the most personal
    signal there, and what to all of them together, for sure (0 where it is not)."""
    best, most, personal = 0, 0.0, 0.0
    for place in range(PLACES):
        taste = squares = relative = 0.0
        for thing in range(THINGS):
            sums = watched[place, thing]
            if sums[BASE] > 0.0:
                taste += sums[BY_PERSON] / sums[BASE]
                squares += sums[SQUARES] / (sums[BASE] * sums[BASE])
                sure = sums[BY_PERSON] - math.sqrt(sums[SQUARES])
                relative = max(relative, sure / max(sums[BY_ACTION], 1e-3 * sums[BASE]))
        taste -= SURE * math.sqrt(squares)
        if taste > max(most, LEAST_TASTE):
            best, most, personal = place, taste, relative
    return best, personal, most


@borrowing
def tells(sums, least, most, sure):
    """Return whether a thing tells the action: that explains so much of it, and the person adds no more than `most` of
    that, by so many times its standard error; where that is below 0, whether it may be so."""
    by_action = sums[BY_ACTION]
    by_person = sums[BY_PERSON] + sure * math.sqrt(sums[SQUARES])
    return sums[CAME] >= LEAST_CAME and by_action > least * sums[BASE] and by_person < most * by_action


@borrowing
def decide(leaks):
    """Say of one more signal, if any does, that it tells the action, the one that tells it best; take back what was
    said of those of which it is no longer true. What was said stays so until a good deal of evidence is against it.
    While the evidence on a signal that could be left out is short of either, every play is watched.

    Return whether plays that were learned from until now mean nothing, since one that is left out came in their place.
    """
    watched, _, _, found, pace, company = leaks
    before = in_place(leaks)
    place, personal, taste = best_place(watched)
    new, most = -1, 0.0
    pace[UNDECIDED] = 0.0
    for i in range(MOST_SIGNALS):
        coming, value = watched[place, i], watched[place, MOST_SIGNALS + i]
        if taste > 0.0 and found[i, SHARE] == 0.0:
            limit = min(MOST_BY_PERSON, MOST_OF_OTHERS * personal)
            for sums in (coming, value):
                if tells(sums, LEAST_BY_ACTION, limit, SURE):
                    if sums[BY_ACTION] / sums[BASE] > most:
                        new, most = i, sums[BY_ACTION] / sums[BASE]
                elif found[i, MAY_BE_LEFT_OUT] > 0.0 and tells(sums, LEAST_BY_ACTION, limit, -SURE):
                    pace[UNDECIDED] = 1.0
        elif (
            taste > 0.0
            and max(coming[CAME], value[CAME]) >= 2.0 * LEAST_CAME
            and not tells(coming, LEAST_STILL, MOST_STILL, -SURE)
            and not tells(value, LEAST_STILL, MOST_STILL, -SURE)
        ):
            found[i, SHARE] = 0.0
            forget(watched, i)
    if new >= 0:
        found[new, SHARE] = most
        forget(watched, new)
    for i in range(MOST_SIGNALS):
        company[i, IN_PLACE] = 1.0 if takes_the_place(company[i]) else 0.0
    halve(watched, company)
    return in_place(leaks) & ~before != 0


@borrowing
def halve(watched, company):
    """Halve the sums of what might have come so often that they would no longer show a change."""
    for p in range(PLACES):
        for thing in range(THINGS):
            if watched[p, thing, MIGHT] > MEMORY:
                for s in range(SUMS):
                    watched[p, thing, s] *= 0.5
    for row in company:
        if row[WITH] + row[WITHOUT] > MEMORY:
            for s in range(IN_PLACE):
                row[s] *= 0.5


@borrowing
def in_place(leaks):
    """Return a bit for each signal that is left out and comes in the place of other feedback."""
    bits = 0
    for i in range(MOST_SIGNALS):
        if is_in_place(leaks, i):
            bits |= 1 << i
    return bits


@borrowing
def forget(watched, number):
    """Begin anew with the evidence for or against a signal."""
    for place in range(PLACES):
        for s in range(SUMS):
            watched[place, number, s] = 0.0
            watched[place, MOST_SIGNALS + number, s] = 0.0


@borrowing
def is_watched(leaks, play):
    """Return whether the play of that number, from 0 on, is watched."""
    return play < FIRST or play % EVERY == 0 or leaks[4][UNDECIDED] > 0.0
