"""The compiled learning step that tells three latent states apart by what the bandit knows of them.

Given the latent state r of an impression, -1, 0 or +1, its feedback y does not depend on the action a (the assumption
of Interaction-Grounded Learning: Xie et al. 2021), nor on the context x unless people differ. Then inverse kinematics
is a mixture of three (ICLR 2023, arXiv 2211.15823, and NeurIPS 2024, arXiv 2405.20677, look at its left side only:
how rare the actions of y are):

    K P(a | x, y) = sum_r P(r | y, x) z_r(x, a) / mean_a' z_r(x, a'),    z_r(x, a) = P(r | x, a).

Both parts of the right side are learned at once. z comes from linear rates of the crosses of context and action, the
same rows by which the bandit learns the reward. The meaning of a signal, log P(y | r) up to a constant, moves by the
slope of log K P(a | x, y): a signal that comes for actions that are rather +1 than their rivals is one of +1. That it
is +1 and not -1 is what the definitely negative signals say, and `none` names the state 0. Each step of `learn_one`
says which of these assumptions it rests on.

What the definitely negative signals say of an action is used twice: as odds in its z, since no action that is not
hated draws more of them than accidents do (`odds_of_marks`), and as evidence for the meaning of other signals that
come for it (`marked`). Most people mean the same by a signal, so what one context feature adds to its meaning fades
unless plays bear it out (`shift`). A signal that is not named is presumed to be felt, not indifferent, the more so the
more `none` comes: otherwise joy that is rarer than hate ends as indifference. Where next to no `none` comes, the
commonest signal stands for it, by the assumption that extremes are rare. The bandit forgets a row, and the rivals of
its action, where it was wrong in one direction for long (`estimate`, `reconsider`).

Nothing is allocated for an interaction; one passes once over the crosses of its action set.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from processors.compiled import borrowing
from processors.features.crosses import cross, first_feature, gather
from processors.learners import influence, kernel_columns, mark_rates, running_totals, weight_tables

# What is known of a signal beforehand, in the column ANCHOR of an interaction. UNSAID: it comes in the place of others.
OTHER, ANCHORED, OPPOSITE, INDIFFERENT, UNSAID = range(5)
# Columns of what is reported about an interaction, after those of every rule: the probabilities of the states.
MINUS, ZERO, PLUS, DOUBT = range(kernel_columns.OUTPUTS, kernel_columns.OUTPUTS + 4)
OUTPUTS: Final = kernel_columns.OUTPUTS + 4
SURE, NO_ANCHOR, NO_INFORMATION, NO_INDIFFERENCE, UNDETERMINED, NOT_SAID = range(6)
"""Why a state is unknown, if it is: which assumption fails, that the meaning of the signal is not determined, or that
what came says nothing, whatever is learned of it."""
LEAST_SURE: Final = 0.6
"""Of what the meaning of a signal gives the inferred state, where all states and all actions are alike."""
SURELY: Final = 2.0
"""Standard errors above 0 at which feedback tells something about the action."""
TOLD_KEPT, TOLD_CAP = 0.9998, 100.0
"""What each play leaves of those before, and the cap of an importance weight, where that is asked."""

# Columns of a row of the bandit, one per hashed cross of context and action. The first three: as in any.
SCORE, SEEN, LARGEST, EXTREME, NEGATIVES, BETTER, WORSE = range(7)
BANDIT_COLUMNS: Final = 8
"""A row fills a cache line."""
# Columns of a row of signals, one per signal, and per context feature and signal.
MEANING, SLOPES, MARKED_SLOPES, WEIGHT = 0, 3, 6, 7
SIGNAL_COLUMNS: Final = 8
# Running totals, after those that `notice` and `remember` keep.
(
    MINUSES,
    ZEROS,
    PLUSES,
    PLAYS,
    NAMED,
    THERE,
    THERE_WEIGHT,
    ELSEWHERE,
    ELSEWHERE_WEIGHT,
    COMMONEST,
    COMMONEST_WEIGHT,
    WEIGHTS,
    INDIFFERENT_WEIGHTS,
    TOLD,
    SQUARED_TOLD,
) = range(mark_rates.TOTALS, mark_rates.TOTALS + 15)
TOTALS: Final = mark_rates.TOTALS + 15 + running_totals.LATER_TOTALS

PRIOR_PLAYS: Final = 20.0
"""Plays for which the three states are believed to be equally common."""
LEAST_RATE: Final = 0.0005
"""No state is ever ruled out for an action: what cannot be would stay so whatever was seen."""
START_ANCHORED, START_INDIFFERENT, START_OTHER = 5.0, 2.0, 1.0
"""Log odds with which a signal begins: for what it is named, any other for +1."""
PRESUMED: Final = math.exp(-START_OTHER)
START_FELT: Final = 5.0
"""Log odds that who does something is not indifferent, where `none` is common: the more so the more of it comes."""
FEW, RARE = 0.1, 0.05
"""Shares of `none` at which that presumption is half as strong, and below which another signal stands for it."""
ANCHORED_MARGIN, INDIFFERENT_MARGIN = 1.0, 3.0
"""Log odds that the evidence never takes from a named signal."""
LEAST_MEANING: Final = -6.0
"""Of a log likelihood below the largest: accidents happen in every state."""
KEPT_COMMON, KEPT_OWN = 3.0, 7.5
"""How far below its largest each log likelihood is kept, of everybody and of one context feature: a minority may mean
the opposite, however sure the rest."""
RATE: Final = 0.5
"""Of a step of a log likelihood along a slope, in units of the size of such slopes: it grows as a z-score."""
AGREEMENT: Final = 0.01
"""What a context feature adds to the meaning of a signal fades so much with each play, unless that bears it out: most
people mean the same."""
COMMON_SHARE: Final = 0.6
"""Of each step, for what a signal means to everybody; the rest is shared by the context features."""
OWN_DIRECTION: Final = 0.25
"""Of what likelihood says of -1 against +1, for what a context feature adds to the meaning of a signal."""
SLOPE_START: Final = 0.25
SLOPE_DECAY: Final = 0.999
SLOPE_CAP: Final = 5.0
"""Of the importance weight of a slope."""
MARK_RATE, OWN_MARK_RATE = 0.5, 0.75
"""As `RATE`, for the evidence of definitely negative signals: for everybody, and for one context feature, of whose
direction it says the most."""
RATIO_CAP: Final = 5.0
TRUST_SIGNAL: Final = 1.0
"""Added to P(r | x, a) where a state is decided: what an action was so far never outweighs what is said of it now."""
NEGATIVES_MEMORY: Final = 30.0
"""Of the rate of definitely negative signals of a row, in plays."""
ALLOWED, CHANGED = 0.3, 70.0
"""Of the error of a prediction, what passes for chance, and the sum of the rest that shows that the world changed."""
KEPT_SEEN: Final = 1.0
"""How much of what was seen before a change still counts."""
LEAST_HATED, MOST_HATED = -1.0, 5.0
"""Log odds that the definitely negative signals of an action can add to its being hated. Their absence says little:
only the strongest hate may ever say so."""
GLOBAL: Final = 0x51ED270B
"""Crossed with a signal, the key of what it means to everybody."""


@borrowing
def constant_needed(features, context_row, shared):
    """Return whether the constant is crossed with the actions: with numbers alone all actions score 0 at the origin."""
    context_start, _, context_value, _, _, _, _, _ = features
    needed = shared != 0.0
    for c in range(context_start[context_row], context_start[context_row + 1]):
        needed |= context_value[c] != 1.0
    return needed


@borrowing
def sums(bandit, features, begin, end, action_row):
    """Return the linear scores of an action (reward, extremeness, rate of definite negatives) and how much was seen."""
    _, context_hash, context_value, _, _, action_start, action_hash, action_value = features
    mask = np.uint64(len(bandit) - 1)
    score = extreme = negative = seen = 0.0
    for c in range(begin, end):
        left, x = context_hash[c], context_value[c]
        for j in range(action_start[action_row], action_start[action_row + 1]):
            i = np.int64(cross(left, action_hash[j]) & mask)
            v = x * action_value[j]
            score += bandit[i, SCORE] * v
            extreme += bandit[i, EXTREME] * v
            negative += bandit[i, NEGATIVES] * v
            seen += bandit[i, SEEN]
    return score, extreme, negative, seen / ((end - begin) * (action_start[action_row + 1] - action_start[action_row]))


@borrowing
def clipped(x):
    """Return the nearest number in [0, 1]."""
    return min(max(x, 0.0), 1.0)


@borrowing
def odds(x):
    """Return about exp(x), without a call."""
    return 1.0 + x + 0.5 * x * x if x >= 0.0 else 1.0 / (1.0 - x + 0.5 * x * x)


@borrowing
def odds_of_marks(totals):
    """Return what one definitely negative signal, and one of another kind, add to the log odds that an action is hated.

    Only the -1 state is ever definitely negative, so an action that draws more of these than can be accidents is
    hated, whatever its other signals are taken for.
    """
    plain = (totals[mark_rates.PLAIN_ANCHORED] + mark_rates.PLAIN_TRUST * mark_rates.PLAIN_RATE) / (
        totals[mark_rates.PLAIN] + mark_rates.PLAIN_TRUST
    )
    marked = (totals[mark_rates.MARKED_ANCHORED] + mark_rates.MARKED_TRUST * mark_rates.MARKED_RATE) / (
        totals[mark_rates.MARKED] + mark_rates.MARKED_TRUST
    )
    marked = min(max(marked, mark_rates.LEAST_RATIO * plain), 0.999)
    plain = min(max(plain, 1e-6), 0.99 * marked)
    return math.log(marked / plain), math.log((1.0 - marked) / (1.0 - plain))


@borrowing
def state_rates(score, extreme, seen, minus, zero, plus, hated):
    """Return P(r | x, a) of the three states: the linear scores, drawn to the base rates where little was seen, times
    what the definitely negative signals say by themselves (`hated`, log odds)."""
    below = seen * clipped((extreme - score) / 2.0) + minus
    between = seen * clipped(1.0 - extreme) + zero
    above = seen * clipped((extreme + score) / 2.0) + plus
    below *= odds(min(max(hated, LEAST_HATED), MOST_HATED))
    scale = (1.0 - 3.0 * LEAST_RATE) / (below + between + above)
    return LEAST_RATE + scale * below, LEAST_RATE + scale * between, LEAST_RATE + scale * above


@borrowing
def global_row(signals, signal):
    """Return the row of what a signal means to everybody."""
    return np.int64(cross(np.uint64(GLOBAL), signal) & np.uint64(len(signals) - 1))


@borrowing
def own_begin(begin, end):
    """Return where the features begin by which people may differ in what they mean: all but the constant."""
    return begin + 1 if end - begin > 1 else begin


@borrowing
def meant(signals, features, begin, end, signal, kind, felt):
    """Return the log likelihoods of a signal in the three states, the largest 0, and the rows that they came from.

    What it means to everybody and what each context feature adds to it, where that is a category: the same signal may
    come from different people for different things.
    """
    _, context_hash, context_value, _, _, _, _, _ = features
    mask = np.uint64(len(signals) - 1)
    i = global_row(signals, signal)
    minus, zero, plus = signals[i, MEANING], signals[i, MEANING + 1], signals[i, MEANING + 2]
    rows = 1
    for c in range(begin, end):
        if context_value[c] == 1.0:
            i = np.int64(cross(context_hash[c], signal) & mask)
            minus += signals[i, MEANING]
            zero += signals[i, MEANING + 1]
            plus += signals[i, MEANING + 2]
            rows += 1
    if kind == ANCHORED:
        minus += START_ANCHORED
    elif kind == OPPOSITE:
        plus += START_ANCHORED
    elif kind == INDIFFERENT:
        zero += START_INDIFFERENT
    else:
        plus += START_OTHER
        zero -= felt
    most = max(minus, zero, plus)
    minus, zero, plus = (
        max(minus - most, LEAST_MEANING),
        max(zero - most, LEAST_MEANING),
        max(plus - most, LEAST_MEANING),
    )
    if kind == ANCHORED:
        minus = max(minus, max(zero, plus) + ANCHORED_MARGIN)
    elif kind == OPPOSITE:
        plus = max(plus, max(minus, zero) + ANCHORED_MARGIN)
    elif kind == INDIFFERENT:
        zero = max(zero, max(minus, plus) + INDIFFERENT_MARGIN)
    return minus, zero, plus, rows


@borrowing
def shift(signals, i, minus, zero, plus, mark, mark_rate, share, kept, felt, agree):
    """Move the meaning of a signal by evidence for each state, in units of the evidence's own size, and centre it.

    `felt` is by how much 0 is presumed against, beside the row. What only makes up for that is not indifference: it
    takes nothing from how far apart +1 and -1 may be.
    """
    row = signals[i]
    row[SLOPES] = SLOPE_DECAY * row[SLOPES] + minus * minus
    row[SLOPES + 1] = SLOPE_DECAY * row[SLOPES + 1] + zero * zero
    row[SLOPES + 2] = SLOPE_DECAY * row[SLOPES + 2] + plus * plus
    row[MARKED_SLOPES] += mark * mark
    row[MEANING] += RATE * minus * share / math.sqrt(SLOPE_START + row[SLOPES])
    row[MEANING + 1] += RATE * zero * share / math.sqrt(SLOPE_START + row[SLOPES + 1])
    row[MEANING + 2] += RATE * plus * share / math.sqrt(SLOPE_START + row[SLOPES + 2])
    row[MEANING] += mark_rate * mark * share / math.sqrt(SLOPE_START + row[MARKED_SLOPES])
    least = max(row[MEANING], row[MEANING + 1] - felt, row[MEANING + 2]) - kept
    row[MEANING] = max(row[MEANING], least)
    row[MEANING + 2] = max(row[MEANING + 2], least)
    row[MEANING + 1] = min(max(row[MEANING + 1], least), min(row[MEANING], row[MEANING + 2]) + kept)
    mean = (row[MEANING] + row[MEANING + 1] + row[MEANING + 2]) / 3.0
    for r in range(3):
        row[MEANING + r] = (1.0 - agree) * (row[MEANING + r] - mean)


@borrowing
def shift_all(signals, features, begin, end, signal, minus, zero, plus, mark, weight, rows, felt):
    """Move what a signal means to everybody and by each context feature.

    A feature tells -1 from +1 mostly by the definitely negative signals (`mark`), as they alone say which extreme state
    is which (ICLR 2023, section 4). Likelihood would name them wrongly where nobody of a group enjoys anything: +1 is
    free there, and tells those who are hated less from those who are hated so much that it is said.
    """
    common = 1.0 if rows == 1 else COMMON_SHARE
    own = (1.0 - COMMON_SHARE) / max(rows - 1, 1)
    agree = AGREEMENT * min(weight, 1.0)
    _, context_hash, context_value, _, _, _, _, _ = features
    mask = np.uint64(len(signals) - 1)
    shift(signals, global_row(signals, signal), minus, zero, plus, mark, MARK_RATE, common, KEPT_COMMON, felt, 0.0)
    minus, plus = (
        0.5 * (minus + plus) + 0.5 * OWN_DIRECTION * (minus - plus),
        0.5 * (minus + plus) - 0.5 * OWN_DIRECTION * (minus - plus),
    )
    for c in range(begin, end):
        if context_value[c] == 1.0:
            i = np.int64(cross(context_hash[c], signal) & mask)
            shift(signals, i, minus, zero, plus, mark, OWN_MARK_RATE, own, KEPT_OWN, 0.0, agree)


@borrowing
def marked(totals, kind, weight, ratio, minus):
    """Return how much more an impression looks like the definitely negative ones than its signal's meaning says.

    `ratio` is the rate of definite negatives of the action over the mean of all actions, `minus` the probability of -1
    by the signal alone. Only the -1 state is ever definitely negative: where the shown action has more of them than
    others, the signal is rather one of -1.
    """
    weight = min(weight, 1.0)
    there = (totals[THERE] + 2.0) / (totals[THERE_WEIGHT] + 1.0)
    elsewhere = (totals[ELSEWHERE] + 1.0) / (totals[ELSEWHERE_WEIGHT] + 1.0)
    if kind == ANCHORED:
        totals[NAMED] += 1.0
        totals[THERE] += weight * ratio
        totals[THERE_WEIGHT] += weight
    elif kind == INDIFFERENT:
        totals[ELSEWHERE] += weight * ratio
        totals[ELSEWHERE_WEIGHT] += weight
    if totals[NAMED] == 0.0:
        return 0.0
    return weight * (ratio - minus * there - (1.0 - minus) * elsewhere)


@borrowing
def indifference(totals, kind, weight):
    """Return the share of `none` among what would come back if all actions were shown alike; learns from this one."""
    totals[WEIGHTS] += weight
    if kind == INDIFFERENT:
        totals[INDIFFERENT_WEIGHTS] += weight
    return totals[INDIFFERENT_WEIGHTS] / totals[WEIGHTS]


@borrowing
def standing_in(signals, totals, signal, kind, none, weight):
    """Return the kind of a signal; where next to no `none` comes, the commonest that is not named stands for it."""
    row = global_row(signals, signal)
    signals[row, WEIGHT] += weight
    if kind != OTHER:
        return kind
    common = signals[row, WEIGHT] > totals[COMMONEST_WEIGHT] or totals[COMMONEST] == np.float64(signal)
    if common:
        totals[COMMONEST], totals[COMMONEST_WEIGHT] = np.float64(signal), signals[row, WEIGHT]
    return INDIFFERENT if common and none < RARE else OTHER


@borrowing
def estimate(bandit, index, value, n, reward, extreme, negative, weight, rate):
    """Move n rows to their three targets as `weight_tables.estimate` does to one; the rate of negatives forgets.

    Return which row, if any, was wrong in the same direction for so long that the world must have changed (a CUSUM:
    Page 1954), else -1. Such a row counts anew.
    """
    score = extremeness = negatives = 0.0
    for j in range(n):
        row = bandit[index[j]]
        x = weight_tables.within(value[j], weight_tables.largest(row[LARGEST], row[SEEN], abs(value[j])))
        score += row[SCORE] * x
        extremeness += row[EXTREME] * x
        negatives += row[NEGATIVES] * x
    score, extremeness, negatives = score - reward, extremeness - extreme, negatives - negative
    surprise = min(max(-score, -1.0), 1.0)
    changed = -1
    for j in range(n):
        x = value[j]
        if x == 0.0:
            continue
        row = bandit[index[j]]
        bound = weight_tables.largest(row[LARGEST], row[SEEN], abs(x))
        if bound > row[LARGEST]:
            shrink = row[LARGEST] / bound
            row[SCORE] *= shrink
            row[EXTREME] *= shrink
            row[NEGATIVES] *= shrink
        row[LARGEST] = bound
        x = weight_tables.within(x, bound) / bound
        row[BETTER] = max(row[BETTER] + surprise * x - ALLOWED, 0.0)
        row[WORSE] = max(row[WORSE] - surprise * x - ALLOWED, 0.0)
        if row[BETTER] > CHANGED or row[WORSE] > CHANGED:
            row[BETTER] = row[WORSE] = 0.0
            row[SEEN] = min(row[SEEN], KEPT_SEEN)
            changed = j
        row[SEEN] += weight * x * x
        move = rate * weight * x / (n * row[LARGEST])
        slow = move / row[SEEN] ** weight_tables.BANDIT_POWER
        row[SCORE] -= slow * score
        row[EXTREME] -= slow * extremeness
        row[NEGATIVES] -= move / min(row[SEEN], NEGATIVES_MEMORY) ** weight_tables.BANDIT_POWER * negatives
    return changed


@borrowing
def reconsider(bandit, features, left, set_row):
    """Let little of what was seen of the actions of a set count any more, where they are crossed with one feature."""
    _, _, _, set_start, set_rows, action_start, action_hash, _ = features
    mask = np.uint64(len(bandit) - 1)
    for a in range(set_start[set_row], set_start[set_row + 1]):
        for j in range(action_start[set_rows[a]], action_start[set_rows[a] + 1]):
            i = np.int64(cross(left, action_hash[j]) & mask)
            bandit[i, SEEN] = min(bandit[i, SEEN], KEPT_SEEN)


@borrowing
def learn_reward(
    bandit, features, shared, context_row, set_row, chosen, reward, extreme, negative, weight, rate, index, value
):
    """Move the rows of the shown action; where they show that the world changed, those of its rivals too count anew."""
    context_start, context_hash, _, set_start, set_rows, action_start, _, _ = features
    row = set_rows[set_start[set_row] + chosen]
    n = gather(features, context_row, row, -1, 1.0, shared, len(bandit), index, value, 0)
    changed = estimate(bandit, index, value, n, reward, extreme, negative, weight, rate)
    if changed >= 0:
        begin, end = context_start[context_row], context_start[context_row + 1]
        begin += first_feature(end - begin, shared)
        feature = begin + changed // (action_start[row + 1] - action_start[row])
        reconsider(bandit, features, context_hash[feature], set_row)


@borrowing
def inform(totals, told, weight):
    """Take in how many nats the feedback of a play told about its action, before it was learned."""
    told *= min(weight, TOLD_CAP)
    totals[TOLD] = TOLD_KEPT * totals[TOLD] + told
    totals[SQUARED_TOLD] = TOLD_KEPT * totals[SQUARED_TOLD] + told * told


@borrowing
def unanchored(totals):
    """Return whether no definite signal came yet, so that +1 and -1 could change places.

    Of the two extreme states it alone says which is which (ICLR 2023, arXiv 2211.15823, section 4).
    """
    return totals[NAMED] == 0.0


@borrowing
def uninformed(totals):
    """Return whether the posterior foretells the shown action no better than 1/K.

    Feedback does not depend on what is felt then, or not in a way that is learned, and nothing is identified (Xie et
    al., ICML 2021, assumption 2). The mean of log K P(a | x, y), each term by what was learned before it (Dawid 1984),
    lies less than two standard errors above 0.
    """
    return totals[TOLD] < SURELY * math.sqrt(1.0 + totals[SQUARED_TOLD])


@borrowing
def without_indifference(totals):
    """Return whether next to no `none` comes, so that 0 rests on the commonest signal.

    That is right where extremes are rare (ICLR 2023, section 4), and joy of nearly everybody would pass for it.
    """
    return totals[INDIFFERENT_WEIGHTS] < RARE * totals[WEIGHTS]


@borrowing
def failing(totals):
    """Return which assumption about all feedback fails now, `SURE` if none does."""
    if unanchored(totals):
        return NO_ANCHOR
    if uninformed(totals):
        return NO_INFORMATION
    return NO_INDIFFERENCE if without_indifference(totals) else SURE


@borrowing
def doubt(totals, kind, state, minus, zero, plus):
    """Return why the state is unknown, `SURE` if there is no reason.

    `state` is the likeliest, the others are the likelihoods of the signal in the three states. A definite signal is
    what it is named for also where nobody is indifferent. That any other is one of joy is presumed at first
    (`START_OTHER`), and then so is the action: a state that is likely by what was presumed alone, and not by what was
    learned of the signal, is not determined.
    """
    reason = failing(totals)
    if reason == NO_INDIFFERENCE and (kind == ANCHORED) | (kind == OPPOSITE):
        return SURE
    if reason != SURE or kind != OTHER:
        return reason
    plus *= PRESUMED
    likely = minus if state < 0.0 else (plus if state > 0.0 else zero)
    return SURE if likely >= LEAST_SURE * (minus + zero + plus) else UNDETERMINED


@borrowing
def says_more(interaction):
    """Return whether the feedback that is learned from says more than that somebody was indifferent."""
    kind = interaction[kernel_columns.ANCHOR]
    return (kind != INDIFFERENT) & (kind != UNSAID)


@borrowing
def count_anew(bandit):
    """Let little of what was seen count any more, of all actions: they were learned about from what says nothing.

    What is believed of them stays until what comes says otherwise.
    """
    for row in bandit:
        row[SEEN] = min(row[SEEN], KEPT_SEEN)


@borrowing
def base_rates(totals):
    """Return how common -1 and +1 are."""
    learned = totals[MINUSES] + totals[ZEROS] + totals[PLUSES] + PRIOR_PLAYS
    return (totals[MINUSES] + PRIOR_PLAYS / 3.0) / learned, (totals[PLUSES] + PRIOR_PLAYS / 3.0) / learned


@borrowing
def report_unsaid(bandit, totals, features, polarity, begin, end, action_row, actions, chosen, out):
    """Write the outputs of an interaction whose feedback was taken the place of: what was known before it, and that it
    says nothing. Nothing is learned from it."""
    score, extreme, negative, n = sums(bandit, features, begin, end, action_row)
    base_minus, base_plus = base_rates(totals)
    if_hated, if_not = odds_of_marks(totals)
    negative = clipped(negative)
    hated = min(n, NEGATIVES_MEMORY) * (negative * if_hated + (1.0 - negative) * if_not)
    base_zero = 1.0 - base_minus - base_plus
    minus, zero, plus = state_rates(polarity * score, extreme, n, base_minus, base_zero, base_plus, hated)
    out[kernel_columns.POSTERIOR] = 1.0 / actions
    out[kernel_columns.LOG_LOSS] = math.log(actions)
    out[kernel_columns.CORRECT] = 1.0 if chosen == 0 else 0.0
    out[kernel_columns.STATE] = polarity * likeliest(minus, zero, plus)
    out[kernel_columns.REWARD] = polarity * (plus - minus)
    out[MINUS], out[ZERO], out[PLUS] = minus if polarity > 0.0 else plus, zero, plus if polarity > 0.0 else minus
    reason = failing(totals)
    out[DOUBT] = NOT_SAID if reason == SURE else reason


@borrowing
def likeliest(minus, zero, plus):
    """Return the state of these three that is the most probable: of two 0, and of the extreme ones -1."""
    return -1.0 if minus >= plus and minus > zero else (1.0 if plus > zero else 0.0)


@borrowing
def learn_one(  # noqa: PLR0915 - its steps share a dozen numbers
    bandit, signals, seen, totals, parameters, features, interaction, weight, index, value, out
):
    """Learn one interaction and write a row of outputs."""
    context_start, context_hash, _, set_start, set_rows, action_start, _, _ = features
    context_row, signal, chosen = (
        interaction[kernel_columns.CONTEXT],
        interaction[kernel_columns.SIGNAL],
        interaction[kernel_columns.CHOSEN],
    )
    begin, end = context_start[context_row], context_start[context_row + 1]
    first = set_start[interaction[kernel_columns.ACTIONS]]
    actions = set_start[interaction[kernel_columns.ACTIONS] + 1] - first
    shared = constant_needed(features, context_row, parameters[kernel_columns.SHARED])
    running_totals.notice(seen, totals, context_hash[begin:end], actions)
    weight = influence.cut_weight(totals, weight)
    out[kernel_columns.WEIGHT] = weight
    polarity = parameters[kernel_columns.POLARITY]
    crossed, own = begin + first_feature(end - begin, shared), own_begin(begin, end)
    if interaction[kernel_columns.ANCHOR] == UNSAID:
        report_unsaid(bandit, totals, features, polarity, crossed, end, set_rows[first + chosen], actions, chosen, out)
        return

    none = indifference(totals, interaction[kernel_columns.ANCHOR], weight)
    kind = standing_in(signals, totals, signal, interaction[kernel_columns.ANCHOR], none, weight)
    felt = START_FELT * none / (none + FEW)
    by_minus, by_zero, by_plus, rows = meant(signals, features, own, end, signal, kind, felt)
    like_minus, like_zero, like_plus = math.exp(by_minus), math.exp(by_zero), math.exp(by_plus)

    # The states of all actions, and of them the shown one's.
    base_minus, base_plus = base_rates(totals)
    base_zero = 1.0 - base_minus - base_plus
    base_negative = (totals[NAMED] + 1.0 / actions) / (totals[PLAYS] + PRIOR_PLAYS)
    if_hated, if_not = odds_of_marks(totals)
    mean_minus = mean_zero = mean_plus = mean_negative = 0.0
    z_minus = z_zero = z_plus = z_negative = most = 0.0
    best = 0
    for a in range(actions):
        score, extreme, negative, n = sums(bandit, features, crossed, end, set_rows[first + a])
        score *= polarity
        negative = clipped(negative)
        hated = min(n, NEGATIVES_MEMORY) * (negative * if_hated + (1.0 - negative) * if_not)
        minus, zero, plus = state_rates(score, extreme, n, base_minus, base_zero, base_plus, hated)
        negative = (n * negative + base_negative) / (n + 1.0)
        mean_minus += minus
        mean_zero += zero
        mean_plus += plus
        mean_negative += negative
        likely = like_minus * minus + like_zero * zero + like_plus * plus
        if likely > most:
            most, best = likely, a
        if a == chosen:
            z_minus, z_zero, z_plus, z_negative = minus, zero, plus, negative
    scale = 1.0 / actions
    v_minus, v_zero, v_plus = (
        like_minus * mean_minus * scale,
        like_zero * mean_zero * scale,
        like_plus * mean_plus * scale,
    )
    u_minus, u_zero, u_plus = like_minus * z_minus, like_zero * z_zero, like_plus * z_plus
    of_shown, of_all = u_minus + u_zero + u_plus, v_minus + v_zero + v_plus
    out[kernel_columns.POSTERIOR] = scale * of_shown / of_all
    out[kernel_columns.LOG_LOSS] = -math.log(max(out[kernel_columns.POSTERIOR], 1e-300))
    out[kernel_columns.CORRECT] = 1.0 if best == chosen else 0.0

    inform(totals, math.log(of_shown / of_all), weight)

    # The slope of the log of that: what the state is with the shown action known, against without.
    named = 1.0 if kind == ANCHORED else 0.0
    mark_rates.remember(totals, mark_rates.MARKED_ANCHORED, mark_rates.MARKED, named, z_minus)
    mark_rates.remember(totals, mark_rates.PLAIN_ANCHORED, mark_rates.PLAIN, named, z_zero)
    step = min(weight, SLOPE_CAP)
    totals[PLAYS] += 1.0
    ratio = min(z_negative / (mean_negative * scale), RATIO_CAP)
    mark = marked(totals, kind, weight, ratio, v_minus / of_all)
    shift_all(
        signals,
        features,
        own,
        end,
        signal,
        step * (u_minus / of_shown - v_minus / of_all),
        step * (u_zero / of_shown - v_zero / of_all),
        step * (u_plus / of_shown - v_plus / of_all),
        mark,
        weight,
        rows,
        felt if kind == OTHER else 0.0,
    )

    # The state: by the signal first, by what is known of the action in second place, so that a taste may change.
    if kind == ANCHORED:
        minus, zero, plus = 1.0, 0.0, 0.0
    elif kind == OPPOSITE:
        minus, zero, plus = 0.0, 0.0, 1.0
    elif kind == INDIFFERENT:
        minus, zero, plus = 0.0, 1.0, 0.0
    else:
        minus = like_minus * (z_minus + TRUST_SIGNAL)
        zero = like_zero * (z_zero + TRUST_SIGNAL)
        plus = like_plus * (z_plus + TRUST_SIGNAL)
        total = minus + zero + plus
        minus, zero, plus = minus / total, zero / total, plus / total
    totals[MINUSES] += minus
    totals[ZEROS] += zero
    totals[PLUSES] += plus
    state = likeliest(minus, zero, plus)
    out[kernel_columns.STATE] = polarity * state
    out[kernel_columns.REWARD] = polarity * (plus - minus)
    out[DOUBT] = doubt(totals, kind, state, like_minus, like_zero, like_plus)
    out[MINUS], out[ZERO], out[PLUS] = minus if polarity > 0.0 else plus, zero, plus if polarity > 0.0 else minus

    weight = min(weight, parameters[kernel_columns.BANDIT_CAP])
    action = set_rows[first + chosen]
    touched = weight * (end - crossed) * (action_start[action + 1] - action_start[action])
    learn_reward(
        bandit,
        features,
        shared,
        context_row,
        interaction[kernel_columns.ACTIONS],
        chosen,
        out[kernel_columns.REWARD],
        1.0 - zero,
        named,
        weight * influence.cut_touched(totals, influence.ORDINARY_PLAYS, touched) / touched,
        parameters[kernel_columns.BANDIT_RATE],
        index,
        value,
    )
