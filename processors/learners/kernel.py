"""The compiled learning step of the papers' rules: posterior, reward, bandit, over a batch of interactions."""

from __future__ import annotations

import math

import numpy as np

from processors.compiled import borrowing, compiled
from processors.features.crosses import gather
from processors.learners.influence import ORDINARY_SQUARES, cut_touched, cut_weight
from processors.learners.kernel_columns import (
    ACTIONS,
    ANCHOR,
    BANDIT_CAP,
    BANDIT_RATE,
    CHOSEN,
    CONTEXT,
    CORRECT,
    FORM,
    IK_CAP,
    IK_RATE,
    LOG_LOSS,
    NEGATIVE,
    POSTERIOR,
    REWARD,
    SHARED,
    SIGNAL,
    START,
    STATE,
    WEIGHT,
)
from processors.learners.reward_decoding import judge
from processors.learners.running_totals import notice, tally
from processors.learners.scratch_space import actions_needed, crosses_needed
from processors.learners.weight_tables import estimate, logistic, score, step

ONE_VERSUS_REST, SOFTMAX = range(2)


@compiled(nogil=True)  # heartbeats go on meanwhile
def learn_batch(ik, bandit, seen, totals, sums, parameters, features, interactions, meanings, weights, outputs):
    """Learn a batch in order."""
    set_start = features[3]
    index, value, start, posterior = scratch(
        crosses_needed(features, interactions), actions_needed(features, interactions)
    )
    for i in range(len(interactions)):
        learn_one(
            ik, bandit, seen, totals, parameters, features, interactions[i], meanings[i], weights[i],
            index, value, start, posterior, outputs[i],
        )  # fmt: skip
        row = interactions[i, ACTIONS]
        tally(sums, interactions[i, NEGATIVE], weights[i], set_start[row + 1] - set_start[row], outputs[i], False)


@compiled()
def scratch(crosses, actions):
    """Return the working arrays of `learn_one` for so many crosses and actions at most."""
    index, start = np.empty(crosses, dtype=np.int64), np.empty(actions + 1, dtype=np.int64)
    return index, np.empty(crosses), start, np.empty(actions)


@borrowing
def learn_one(
    ik,
    bandit,
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
    out,
):
    """Learn one interaction: posterior -> reward -> inverse kinematics, bandit. Writes a row of outputs.

    `meaning` is what an embedding makes of the feedback, in [-1, 1]: the features of the inverse kinematics are
    multiplied by it, and where it is 0, unknown, nothing is learned. Without an embedding it is 1, and the features
    are crossed with the signal instead.
    """
    context_start, context_hash, _, set_start, set_rows, _, _, _ = features
    context_row, signal, chosen = interaction[CONTEXT], interaction[SIGNAL], interaction[CHOSEN]
    context = context_hash[context_start[context_row] : context_start[context_row + 1]]
    first = set_start[interaction[ACTIONS]]
    actions = set_start[interaction[ACTIONS] + 1] - first
    chosen_row = set_rows[first + chosen]
    shared = parameters[SHARED]
    notice(seen, totals, context, actions)
    weight = cut_weight(totals, weight)
    out[WEIGHT] = weight

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

    out[STATE], out[REWARD] = judge(actions * posterior[chosen], actions, meaning, interaction[ANCHOR], parameters)
    if meaning == 0.0:
        return

    ik_weight = min(weight, parameters[IK_CAP])
    squares = 0.0
    for a in range(actions):
        slope = ik_weight * (posterior[a] - (1.0 if a == chosen else 0.0))
        squares += slope * slope * (start[a + 1] - start[a])
    if squares > 0.0:
        ik_weight *= math.sqrt(cut_touched(totals, ORDINARY_SQUARES, squares) / squares)
    for a in range(actions):
        label = 1.0 if a == chosen else 0.0
        step(ik, index, value, start[a], start[a + 1], ik_weight * (posterior[a] - label), parameters[IK_RATE])

    end = gather(features, context_row, chosen_row, -1, 1.0, shared, len(bandit), index, value, 0)
    error = score(bandit, index, value, 0, end) - out[REWARD]
    estimate(bandit, index, value, end, error, min(weight, parameters[BANDIT_CAP]), parameters[BANDIT_RATE])


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
