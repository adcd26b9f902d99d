"""The compiled learning step: posterior, reward, bandit, in sequence over a batch of interactions.

All of it lies in one file because numba's cache on disk looks only at the file of the outermost function.

A weight table has one row per hashed index: weight, sum of squared gradients (AdaGrad: Duchi, Hazan & Singer
2011) and largest feature value met (scale invariance: Ross, Mineiro & Langford 2013). A step is divided by the
number of active features, so that the first one moves a score by `rate` whatever their number.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numba import njit

# Columns of an interaction in a batch; NEGATIVE is 1 for a definitely negative signal.
CONTEXT, ACTIONS, SIGNAL, ANCHOR, CHOSEN, NEGATIVE = range(6)
# Columns of what the kernel reports about it.
STATE, REWARD, POSTERIOR, LOG_LOSS, CORRECT = range(5)
OUTPUTS: Final = 5
# Running totals of a learner.
LEARNED, ACTIONS_SEEN, CONTEXT_FEATURES, EXTREME_ANCHORED, EXTREME = range(5)
MARKED_ANCHORED, MARKED, PLAIN_ANCHORED, PLAIN = range(5, 9)
TOTALS: Final = 9
# What a learner counts about itself: `statistics.py` beside this has what they mean. The first three are the states.
STATES: Final = 3
(
    DEFINITELY_NEGATIVE,
    SUM_LOG_LOSS,
    SUM_PRIOR_LOG_LOSS,
    SUM_CORRECT,
    SUM_PRIOR_CORRECT,
    CALIBRATION,
    WEIGHTS,
    SQUARED_WEIGHTS,
    LARGEST_WEIGHT,
) = range(STATES, STATES + 9)
SUMS: Final = STATES + 9
# Settings as numbers.
(
    FORM,
    IK_RATE,
    IK_CAP,
    RULE,
    THRESHOLD,
    ALPHA,
    PRIOR,
    BANDIT_RATE,
    BANDIT_CAP,
    POLARITY,
    SHARED,
    START,
    EXTREMES,
) = range(13)
PARAMETERS: Final = 13

ONE_VERSUS_REST, SOFTMAX = range(2)
BY_POSTERIOR, BY_EITHER, BY_SIGNAL, GRADED, BY_MEANING = range(5)
EPSILON_GREEDY, SQUARECB, SOFTMAX_SCORES = range(3)
TWO_STATE, WORKSHOP, ICLR, COUNTS, POOLED, POOLED_OWN, MIXTURE = range(7)
# What the mixture believes before it has seen anything: the rate of anchors in the anchored state and
# elsewhere, and for how many plays' worth.
MARKED_RATE, MARKED_TRUST = 0.1, 10.0
PLAIN_RATE, PLAIN_TRUST = 0.001, 100.0
MIXTURE_MEMORY: Final = 5000.0
LEAST_RATIO: Final = 2.0
MOST_EVIDENCE: Final = 5.0
EXTREME_PRIOR: Final = -1.0
SIGNAL_TRUST: Final = 2.0
LEAST_SHARE: Final = 0.01
EXTREMENESS: Final = 0x9747B28C  # crossed with a signal, the key of its mean extremeness
SEEN_BITS: Final = 16
BANDIT_POWER: Final = 0.75
_MASK: Final = 0xFFFFFFFF

borrowing = njit(cache=True, _nrt=False)
"""Compiles what allocates nothing. Its arrays are borrowed from the caller: without counting references to them, which
numba does atomically and at every turn, a step takes a third less."""


@njit(cache=True, inline="always")
def cross(left, right):
    """Return the hash of two hashes together; `groundswell.features.crossed` is the same in Python."""
    h = (np.uint64(left) * np.uint64(0x9E3779B1) + np.uint64(right)) & np.uint64(_MASK)
    h ^= h >> np.uint64(16)
    h = (h * np.uint64(0x85EBCA6B)) & np.uint64(_MASK)
    h ^= h >> np.uint64(13)
    h = (h * np.uint64(0xC2B2AE35)) & np.uint64(_MASK)
    return h ^ (h >> np.uint64(16))


@borrowing
def sort_members(numbers, begin, end, names, ranks):
    """Bring the members [begin, end) of a context into the order of their names; return whether it is a context.

    It is not where the name of a member is -1, or two have the same. Most contexts have a few members, already in
    order or nearly so, and some a thousand: Shell's sort is quick with both, and needs no room.
    """
    for i in range(begin, end):
        if names[numbers[i]] < 0:
            return False
    gap = 1
    while 3 * gap + 1 < end - begin:
        gap = 3 * gap + 1
    while gap > 0:
        for i in range(begin + gap, end):
            number = numbers[i]
            rank = ranks[names[number]]
            j = i
            while j >= begin + gap and ranks[names[numbers[j - gap]]] > rank:
                numbers[j] = numbers[j - gap]
                j -= gap
            numbers[j] = number
        gap //= 3
    different = True
    for i in range(begin + 1, end):
        different &= names[numbers[i]] != names[numbers[i - 1]]
    return different


@borrowing
def context_rows(member_start, numbers, names, ranks, hashes, values, constant, crossed, fine, start, keys, amounts):
    """Write the features of contexts, of whose members `numbers` are given, as rows;
    `groundswell.features.context_features` is the same for one in Python.

    Of members `names` are the numbers of their names (-1 is none), `ranks` by name their order. `fine[i]` becomes false
    where i is no context; where it is or becomes false the row is empty.
    """
    n = 0
    start[0] = 0
    for i in range(len(fine)):
        begin, end = member_start[i], member_start[i + 1]
        fine[i] = fine[i] and sort_members(numbers, begin, end, names, ranks)
        if fine[i]:
            keys[n], amounts[n] = constant, 1.0
            n += 1
            first = n
            for m in range(begin, end):
                if values[numbers[m]] != 0.0:
                    keys[n], amounts[n] = hashes[numbers[m]], values[numbers[m]]
                    n += 1
            if crossed[i]:
                last = n
                for g in range(first, last):
                    for h in range(g + 1, last):
                        keys[n], amounts[n] = cross(keys[g], keys[h]), amounts[g] * amounts[h]
                        n += 1
        start[i + 1] = n


@borrowing
def first_feature(features, shared):
    """Return where the features of a context begin: the constant, first of all, is left out unless it is
    alone or weights are `shared` between contexts.
    """
    return 0 if shared or features == 1 else 1


@borrowing
def logistic(x):
    """Return the probability whose log odds are x."""
    return 1.0 / (1.0 + math.exp(-x))


@borrowing
def gather(features, context_row, action_row, signal, scale, shared, size, index, value, begin):
    """Write indices and values, times `scale`, of the crosses of a context and an action from `begin` on; return
    the end.

    They are crossed with `signal` too, unless that is -1.
    """
    context_start, context_hash, context_value, _, _, action_start, action_hash, action_value = features
    mask = np.uint64(size - 1)
    low, high = context_start[context_row], context_start[context_row + 1]
    n = begin
    for c in range(low + first_feature(high - low, shared), high):
        left = np.uint64(context_hash[c])
        if signal >= 0:
            left = cross(left, signal)
        for a in range(action_start[action_row], action_start[action_row + 1]):
            index[n] = np.int64(cross(left, action_hash[a]) & mask)
            value[n] = scale * (context_value[c] * action_value[a])
            n += 1
    return n


@borrowing
def score(table, index, value, begin, end):
    """Return the inner product of the weights with the features [begin, end)."""
    total = 0.0
    for j in range(begin, end):
        total += table[index[j], 0] * value[j]
    return total


@borrowing
def step(table, index, value, begin, end, gradient, rate):
    """Move the weights of the features [begin, end) against `gradient`, the slope of the loss by the score."""
    if gradient == 0.0:
        return
    for j in range(begin, end):
        i, x = index[j], value[j]
        if x == 0.0:
            continue
        size = abs(x)
        if size > table[i, 2]:
            table[i, 0] *= table[i, 2] / size
            table[i, 2] = size
        slope = gradient * x
        if slope * slope == 0.0:
            continue  # too small to be squared
        table[i, 1] += slope * slope
        table[i, 0] -= rate * slope / ((end - begin) * table[i, 2] * math.sqrt(table[i, 1]))


@borrowing
def estimate(table, index, value, n, error, weight, rate):
    """Move n weights against `error`, the score minus its target: between a weighted mean and AdaGrad.

    The second column is the sum of weighted squared values. With the power 1 a lone feature would hold the
    exact weighted mean of its targets; a smaller one forgets the targets of its youth, when labels were worse.
    """
    for j in range(n):
        i, x = index[j], value[j]
        if x == 0.0:
            continue
        size = abs(x)
        if size > table[i, 2]:
            table[i, 0] *= table[i, 2] / size
            table[i, 2] = size
        x /= table[i, 2]
        table[i, 1] += weight * x * x
        table[i, 0] -= rate * weight * error * x / (n * table[i, 2] * table[i, 1] ** BANDIT_POWER)


@borrowing
def sort_rows(table, context, other, mask, order):
    """Write the rows of each context feature crossed with `other`, most common first; return how many.

    The constant feature, first in every context, is left out unless it is alone.
    """
    first = 1 if len(context) > 1 else 0
    n = 0
    for c in range(first, len(context)):
        i = np.int64(cross(context[c], other) & mask)
        j = n
        while j > 0 and table[order[j - 1], 1] < table[i, 1]:
            order[j] = order[j - 1]
            j -= 1
        order[j] = i
        n += 1
    return n


@borrowing
def narrowed(table, context, other, size, rate, prior, order):
    """Return `rate` after backing it with the counts of each context feature crossed with `other`.

    Rows of `table` are (sum, count). The features are taken from the most to the least common, so that the
    most specific rate has the last word.
    """
    n = sort_rows(table, context, other, np.uint64(size - 1), order)
    for j in range(n):
        i = order[j]
        rate = (table[i, 0] + prior * rate) / (table[i, 1] + prior)
    return rate


@borrowing
def count(table, context, other, size, amount, weight):
    """Add (amount * weight, weight) to the counts of each context feature crossed with `other`."""
    mask = np.uint64(size - 1)
    for c in range(len(context)):
        i = np.int64(cross(context[c], other) & mask)
        table[i, 0] += amount * weight
        table[i, 1] += weight


@borrowing
def extreme_sign(totals, own, pooled, context, action, signal, anchored, weight, parameters, order):
    """Return -1 if an extreme interaction looks like those with an anchor signal, else +1. Learns from it."""
    size = len(own)
    prior = parameters[PRIOR]
    totals[EXTREME] += weight
    totals[EXTREME_ANCHORED] += anchored * weight
    count(own, context, action, size, anchored, 1.0)
    overall = totals[EXTREME_ANCHORED] / totals[EXTREME]
    if overall == 0.0:
        return 1.0
    own_rate = narrowed(own, context, action, size, overall, prior, order)
    log_ratio = math.log(own_rate / overall)
    if parameters[RULE] == COUNTS:
        return -1.0 if anchored or log_ratio > 0.0 else 1.0
    count(pooled, context, signal, size, log_ratio, 1.0)
    mean = narrowed(pooled, context, signal, size, 0.0, 1.0, order)
    evidence = mean + (log_ratio if parameters[RULE] == POOLED_OWN else 0.0)
    return -1.0 if anchored or evidence > 0.0 else 1.0


@borrowing
def backed_counts(table, context, other, size, prior, order):
    """Return (sum, count) of the rarest context feature crossed with `other`, backed by the commoner ones.

    A wider row lends the narrower one at most `prior` counts at its own rate.
    """
    mask = np.uint64(size - 1)
    n = sort_rows(table, context, other, mask, order)
    amount, counted = 0.0, 0.0
    for j in range(n):
        lent = min(prior, counted)
        rate = amount / counted if counted > 0.0 else 0.0
        amount = table[order[j], 0] + lent * rate
        counted = table[order[j], 1] + lent
    return amount, counted


@borrowing
def remember(totals, anchored_column, column, anchored, share):
    """Add a play to a class of the mixture by its share, forgetting the oldest beyond the memory."""
    totals[anchored_column] += share * anchored
    totals[column] += share
    if totals[column] > MIXTURE_MEMORY:
        kept = MIXTURE_MEMORY / totals[column]
        totals[anchored_column] *= kept
        totals[column] *= kept


@borrowing
def mixture_sign(totals, own, pooled, context, action, signal, anchored, extreme, actions, parameters, order):
    """Return -1 if a play is rather of the anchored state, else +1: `processors/learners/reward_rules.py` has how."""
    size = len(own)
    count(own, context, action, size, anchored, 1.0)
    anchors, plays = backed_counts(own, context, action, size, parameters[PRIOR], order)
    plain = (totals[PLAIN_ANCHORED] + PLAIN_TRUST * PLAIN_RATE) / (totals[PLAIN] + PLAIN_TRUST)
    marked = (totals[MARKED_ANCHORED] + MARKED_TRUST * MARKED_RATE) / (totals[MARKED] + MARKED_TRUST)
    marked = min(max(marked, LEAST_RATIO * plain), 0.999)
    plain = min(max(plain, 1e-6), 0.99 * marked)
    evidence = anchors * math.log(marked / plain) + (plays - anchors) * math.log((1.0 - marked) / (1.0 - plain))
    evidence = min(max(evidence, -MOST_EVIDENCE), MOST_EVIDENCE)
    share = logistic(evidence - math.log(actions - 1.0))
    remember(totals, MARKED_ANCHORED, MARKED, anchored, share)
    remember(totals, PLAIN_ANCHORED, PLAIN, anchored, 1.0 - share)
    if not extreme:
        return 0.0
    of_signal = narrowed(pooled, context, signal, size, 0.5, SIGNAL_TRUST, order)
    of_signal = min(max(of_signal, LEAST_SHARE), 1.0 - LEAST_SHARE)
    count(pooled, context, signal, size, logistic(evidence + EXTREME_PRIOR), 1.0)
    evidence += EXTREME_PRIOR + math.log(of_signal / (1.0 - of_signal))
    return -1.0 if anchored or evidence > 0.0 else 1.0


@borrowing
def decode(extreme, anchor, totals, own, pooled, context, action, signal, weight, actions, parameters, order):
    """Return (state, reward). `anchor` is 1 for the anchoring signals, 2 for those of the opposite state."""
    anchored = 1.0 if anchor == 1 else 0.0
    sign = 1.0
    if parameters[RULE] == MIXTURE:
        sign = mixture_sign(totals, own, pooled, context, action, signal, anchored, extreme, actions, parameters, order)
    if not extreme:
        return 0.0, 0.0
    rule, alpha = parameters[RULE], parameters[ALPHA]
    if rule == TWO_STATE:
        return 1.0, 1.0
    if rule == WORKSHOP:
        sign = -1.0 if anchored else 1.0
        reward = sign if anchored else alpha
    elif rule == ICLR:
        sign = -1.0 if anchored else 1.0
        reward = sign / alpha if anchored else sign
    else:
        if rule != MIXTURE:
            sign = extreme_sign(totals, own, pooled, context, action, signal, anchored, weight, parameters, order)
        if anchor == 2:
            sign = 1.0
        reward = sign
    return sign * parameters[POLARITY], reward * parameters[POLARITY]


@borrowing
def extremeness(pooled, context, signal, ratio, parameters, order):
    """Return K * posterior, or its mean over the interactions with that context and signal, or the larger."""
    if parameters[EXTREMES] == BY_POSTERIOR:
        return ratio
    key = cross(signal, EXTREMENESS)
    mean = narrowed(pooled, context, key, len(pooled), 1.0, SIGNAL_TRUST, order)
    count(pooled, context, key, len(pooled), ratio, 1.0)
    return max(mean, ratio) if parameters[EXTREMES] == BY_EITHER else mean


@borrowing
def judge(ratio, meaning, anchor, totals, own, pooled, context, action, signal, weight, actions, parameters, order):
    """Return (state, reward) of an interaction whose K * posterior is `ratio`, by the model's rule. Learns from it."""
    graded = parameters[EXTREMES] == GRADED
    if parameters[EXTREMES] == BY_MEANING:
        how_extreme = ratio
        extreme = meaning > 0.0
    else:
        how_extreme = extremeness(pooled, context, signal, ratio, parameters, order)
        extreme = how_extreme > (1.0 if graded else parameters[THRESHOLD])
    state, reward = decode(
        extreme, anchor, totals, own, pooled, context, action, signal, weight, actions, parameters, order
    )
    if graded and extreme:
        reward *= min(math.log(how_extreme) / math.log(actions), 1.0)
        if how_extreme <= parameters[THRESHOLD]:
            state = 0.0
    return state, reward


@borrowing
def notice(seen, totals, context, actions):
    """Count distinct context features (linear counting: Whang et al. 1990) and mean actions per round."""
    totals[LEARNED] += 1.0
    totals[ACTIONS_SEEN] += actions
    for c in range(len(context)):
        bit = np.int64(context[c]) & ((1 << SEEN_BITS) - 1)
        flag = np.uint8(1 << (bit & 7))
        if not seen[bit >> 3] & flag:
            seen[bit >> 3] |= flag
            totals[CONTEXT_FEATURES] += 1.0


@borrowing
def posteriors(ik, index, value, start, actions, prior, form, out):
    """Write P(action | context, feedback) of each action to `out`; normalised only if `form` is softmax.

    The features of action a are [start[a], start[a + 1]); `prior` are its log odds before anything is learned.
    """
    largest = -math.inf
    for a in range(actions):
        out[a] = prior + score(ik, index, value, start[a], start[a + 1])
        largest = max(largest, out[a])
    if form == ONE_VERSUS_REST:
        for a in range(actions):
            out[a] = logistic(out[a])
        return
    total = 0.0
    for a in range(actions):
        out[a] = math.exp(out[a] - largest)
        total += out[a]
    for a in range(actions):
        out[a] /= total


@borrowing
def learn_one(
    ik,
    bandit,
    own,
    pooled,
    seen,
    totals,
    parameters,
    features,
    interaction,
    meaning,
    weight,
    index,
    value,
    start,
    posterior,
    order,
    out,
):
    """Learn one interaction: posterior -> reward -> inverse kinematics, bandit. Writes a row of outputs.

    `meaning` is what an embedding makes of the feedback, in [-1, 1]: the features of the inverse kinematics are
    multiplied by it, and where it is 0, unknown, nothing is learned. Without an embedding it is 1, and the features
    are crossed with the signal instead.
    """
    context_start, context_hash, _, set_start, set_rows, action_start, action_hash, _ = features
    context_row, signal, chosen = interaction[CONTEXT], interaction[SIGNAL], interaction[CHOSEN]
    context = context_hash[context_start[context_row] : context_start[context_row + 1]]
    first = set_start[interaction[ACTIONS]]
    actions = set_start[interaction[ACTIONS] + 1] - first
    chosen_row = set_rows[first + chosen]
    shared = parameters[SHARED]
    notice(seen, totals, context, actions)

    start[0] = 0
    for a in range(actions):
        start[a + 1] = gather(
            features, context_row, set_rows[first + a], signal, meaning, shared, len(ik), index, value, start[a]
        )
    prior = -math.log(actions - 1.0) if parameters[START] else 0.0
    posteriors(ik, index, value, start, actions, prior, parameters[FORM], posterior)
    mass, best = 0.0, 0
    for a in range(actions):
        mass += posterior[a]
        if posterior[a] > posterior[best]:
            best = a
    out[POSTERIOR] = posterior[chosen]
    # A feature far larger than those met before may leave no probability to any action.
    out[LOG_LOSS] = -math.log(max(1.0 / actions if mass == 0.0 else posterior[chosen] / mass, 1e-300))
    out[CORRECT] = 1.0 if best == chosen else 0.0

    action = action_hash[action_start[chosen_row]]
    ratio = actions * posterior[chosen]
    out[STATE], out[REWARD] = judge(
        ratio, meaning, interaction[ANCHOR], totals, own, pooled, context, action, signal, weight, actions, parameters,
        order,
    )  # fmt: skip
    if meaning == 0.0:
        return

    ik_weight = min(weight, parameters[IK_CAP])
    for a in range(actions):
        label = 1.0 if a == chosen else 0.0
        step(ik, index, value, start[a], start[a + 1], ik_weight * (posterior[a] - label), parameters[IK_RATE])

    end = gather(features, context_row, chosen_row, -1, 1.0, shared, len(bandit), index, value, 0)
    error = score(bandit, index, value, 0, end) - out[REWARD]
    estimate(bandit, index, value, end, error, min(weight, parameters[BANDIT_CAP]), parameters[BANDIT_RATE])


@borrowing
def tally(sums, negative, weight, actions, out):
    """Add an interaction, whose row of outputs is `out`, to what a learner counts about itself."""
    sums[1 if out[STATE] == 0.0 else (2 if out[STATE] > 0.0 else 0)] += 1.0
    sums[DEFINITELY_NEGATIVE] += negative
    sums[SUM_LOG_LOSS] += weight * out[LOG_LOSS]
    sums[SUM_PRIOR_LOG_LOSS] += weight * math.log(actions)
    sums[SUM_CORRECT] += weight * out[CORRECT]
    sums[SUM_PRIOR_CORRECT] += weight / actions
    sums[CALIBRATION] += weight * math.exp(min(out[LOG_LOSS], math.log(actions))) * out[CORRECT]
    sums[WEIGHTS] += weight
    sums[SQUARED_WEIGHTS] += weight * weight
    sums[LARGEST_WEIGHT] = max(sums[LARGEST_WEIGHT], weight)


@njit(cache=True)
def needed(features, interactions):
    """Return the most crosses, context features and actions of any one of these interactions."""
    context_start, _, _, set_start, set_rows, action_start, _, _ = features
    most_crosses, most_contexts, most_actions = 1, 1, 1
    for i in range(len(interactions)):
        context, actions = interactions[i, CONTEXT], interactions[i, ACTIONS]
        contexts = context_start[context + 1] - context_start[context]
        first, last = set_start[actions], set_start[actions + 1]
        action_features = 0
        for a in range(first, last):
            action_features += action_start[set_rows[a] + 1] - action_start[set_rows[a]]
        most_crosses = max(most_crosses, contexts * action_features)
        most_contexts = max(most_contexts, contexts)
        most_actions = max(most_actions, last - first)
    return most_crosses, most_contexts, most_actions


@njit(cache=True)
def scratch(crosses, contexts, actions):
    """Return the working arrays of `learn_one` for so many crosses, context features and actions at most."""
    return (
        np.empty(crosses, dtype=np.int64),
        np.empty(crosses),
        np.empty(actions + 1, dtype=np.int64),
        np.empty(actions),
        np.empty(contexts, dtype=np.int64),
    )


@njit(cache=True, nogil=True)  # heartbeats go on meanwhile
def learn_batch(
    ik, bandit, own, pooled, seen, totals, sums, parameters, features, interactions, meanings, weights, outputs
):
    """Learn a batch in order."""
    set_start = features[3]
    crosses, contexts, actions = needed(features, interactions)
    index, value, start, posterior, order = scratch(crosses, contexts, actions)
    for i in range(len(interactions)):
        learn_one(
            ik, bandit, own, pooled, seen, totals, parameters, features, interactions[i], meanings[i], weights[i],
            index, value, start, posterior, order, outputs[i],
        )  # fmt: skip
        row = interactions[i, ACTIONS]
        tally(sums, interactions[i, NEGATIVE], weights[i], set_start[row + 1] - set_start[row], outputs[i])


@borrowing
def action_scores(bandit, features, shared, context_row, set_row, out):
    """Write the bandit's score of each action of a set in a context."""
    context_start, context_hash, context_value, set_start, set_rows, action_start, action_hash, action_value = features
    begin, end = context_start[context_row], context_start[context_row + 1]
    begin += first_feature(end - begin, shared)
    mask = np.uint64(len(bandit) - 1)
    first = set_start[set_row]
    for a in range(set_start[set_row + 1] - first):
        row = set_rows[first + a]
        total = 0.0
        for c in range(begin, end):
            for j in range(action_start[row], action_start[row + 1]):
                i = np.int64(cross(context_hash[c], action_hash[j]) & mask)
                total += bandit[i, 0] * (context_value[c] * action_value[j])
        out[a] = total


@borrowing
def explore(scores, kind, parameter, out):
    """Write the probability of each action; `groundswell.exploration.probabilities` is the same in Python."""
    count = len(scores)
    best, ties = scores[0], 0
    for score_of in scores:
        best = max(best, score_of)
    for score_of in scores:
        ties += score_of == best
    if kind == EPSILON_GREEDY:
        for a in range(count):
            out[a] = parameter / count + ((1.0 - parameter) / ties if scores[a] == best else 0.0)
        return
    total = 0.0
    for a in range(count):
        if kind == SOFTMAX_SCORES:
            out[a] = math.exp((scores[a] - best) / parameter)
        else:
            out[a] = 0.0 if scores[a] == best else 1.0 / (count + parameter * (best - scores[a]))
        total += out[a]
    for a in range(count):
        if kind == SOFTMAX_SCORES:
            out[a] /= total
        elif scores[a] == best:
            out[a] = (1.0 - total) / ties
