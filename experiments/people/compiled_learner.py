"""The learner of a model as the compiled loops drive it: one step after another, without objects."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from processors.learners import (
    exploration_kernel,
    kernel,
    kernel_columns,
    running_totals,
    three_state,
    three_state_scores,
)
from processors.learners.kernel_parameters import kernel_parameters
from processors.learners.learner_choice import learner_for
from processors.learners.three_state_learner import ThreeStateLearner
from processors.models.config import ModelConfig

Loop = tuple[Any, ...]
"""Whether it decodes three states, its tables (of which "bandit" is `BANDIT`), what it has seen, its totals, its
settings, working arrays and outputs."""
THREE_STATE, TABLES, SEEN, TOTALS, PARAMETERS, SCRATCH, OUT = range(7)


def compiled_learner(model: ModelConfig, widest: tuple[int, int, int]) -> Loop:
    """Return a learner that knows nothing, for contexts and actions of at most the `widest` of a feature store."""
    learner = learner_for(model)
    decodes = isinstance(learner, ThreeStateLearner)
    size = 1 << model.hash_bits
    tables = learner._empty_tables(size)
    second = tables["signals"] if decodes else tables["inverse_kinematics"]
    return (
        decodes,
        (tables["bandit"], second),
        np.zeros((1 << running_totals.SEEN_BITS) // 8, dtype=np.uint8),
        np.zeros(learner.totals),
        kernel_parameters(model),
        kernel.scratch(widest[0] * widest[1] * widest[2], widest[1]),
        np.zeros(three_state.OUTPUTS),
    )


@njit
def learn_one(learner, features, interaction, weight):
    """Learn one interaction; the learner's last array has the outputs then."""
    decodes, (bandit, second), seen, totals, parameters, (index, value, start, posterior), out = learner
    if decodes:
        three_state.learn_one(
            bandit, second, seen, totals, parameters, features, interaction, weight, index, value, out
        )
    else:
        kernel.learn_one(
            second, bandit, seen, totals, parameters, features, interaction, 1.0, weight, index, value, start,
            posterior, out,
        )  # fmt: skip


@njit
def action_scores(learner, features, context_row, set_row, out):
    """Write the score of each action of a set in a context."""
    decodes, (bandit, _), _, _, parameters, _, _ = learner
    if decodes:
        three_state_scores.action_scores(bandit, features, parameters[kernel_columns.SHARED], context_row, set_row, out)
    else:
        exploration_kernel.action_scores(bandit, features, parameters[kernel_columns.SHARED], context_row, set_row, out)


@njit
def constant_counted(learner, features, context_row):
    """Return whether the constant feature of a context counts beside others."""
    decodes, _, _, _, parameters, _, _ = learner
    shared = parameters[kernel_columns.SHARED]
    return three_state.constant_needed(features, context_row, shared) if decodes else shared != 0.0
