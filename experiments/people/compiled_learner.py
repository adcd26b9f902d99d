"""The learner of a model as the compiled loops drive it: one step after another, without objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from groundswell.events import NONE_SIGNAL
from groundswell.features import hashed
from processors.learners import (
    exploration_kernel,
    kernel,
    kernel_columns,
    leaking_signals,
    running_totals,
    three_state,
    three_state_scores,
)
from processors.learners.kernel_parameters import kernel_parameters
from processors.learners.learner_choice import learner_for
from processors.learners.reward_rules import anchor
from processors.learners.signal_reading import may_be_left_out
from processors.learners.three_state_learner import ThreeStateLearner
from processors.models.config import ModelConfig

Loop = tuple[Any, ...]
"""Whether it decodes three states, its tables (of which "bandit" is `BANDIT`), what it has seen, its totals, its
settings, working arrays and outputs, and how it reads signals."""
THREE_STATE, TABLES, SEEN, TOTALS, PARAMETERS, SCRATCH, OUT, READING = range(8)
NO_VALUES = np.zeros(0, dtype=np.int64), np.zeros(0)


def compiled_reading(model: ModelConfig, signals: Sequence[str]) -> tuple[Any, ...]:
    """Return how the signals of those numbers are read: what is known of leaks, hash and anchor of each and of `none`
    in the last row, and the number of `none`, -1 where it is not among them."""
    leaks = leaking_signals.nothing_known()
    for number, name in enumerate(signals[: leaking_signals.MOST_SIGNALS]):
        leaks[3][number, leaking_signals.MAY_BE_LEFT_OUT] = may_be_left_out(model, name)
    told = np.array([[hashed(name), anchor(model, name)] for name in (*signals, NONE_SIGNAL)], dtype=np.int64)
    return leaks, told, signals.index(NONE_SIGNAL) if NONE_SIGNAL in signals else -1


def left_out(reading: tuple[Any, ...], signals: Sequence[str]) -> list[str]:
    """Return the signals that are left out, since they were found to tell the action."""
    return [name for number, name in enumerate(signals) if leaking_signals.is_left_out(reading[0], number)]


@njit
def read_one(reading, features, interaction, number, weight, play, values, begin, end):
    """Put hash and anchor of the signal of that number into an interaction; where it is left out, those of `none`, or
    that nothing was said.

    `values` are (numbers of signals, quantiles), of which those from `begin` to `end` came with this one. Call
    `decide` once it is learned.
    """
    leaks, told, none = reading
    row = len(told) - 1 if leaking_signals.is_left_out(leaks, number) else number
    interaction[kernel_columns.SIGNAL], interaction[kernel_columns.ANCHOR] = told[row]
    if leaking_signals.is_in_place(leaks, number):
        interaction[kernel_columns.SIGNAL], interaction[kernel_columns.ANCHOR] = told[number, 0], three_state.UNSAID
    if leaking_signals.is_watched(leaks, play):
        came = 1 << number
        if row != number and none >= 0:
            came |= 1 << none
        _, _, _, set_start, set_rows, action_start, action_hash, _ = features
        shown = set_rows[set_start[interaction[kernel_columns.ACTIONS]] + interaction[kernel_columns.CHOSEN]]
        action = action_hash[action_start[shown]]
        context = interaction[kernel_columns.CONTEXT]
        more = three_state.says_more(interaction)
        leaking_signals.watch(leaks, features, context, action, weight, came, more, values[0], values[1], begin, end)


@njit
def decide(reading, bandit, play):
    """Say which signals are left out from the next play on, where that is due after this one."""
    if (play + 1) % leaking_signals.DECIDED_EVERY == 0 and leaking_signals.decide(reading[0]):
        three_state.count_anew(bandit)


def compiled_learner(model: ModelConfig, widest: tuple[int, int, int], signals: Sequence[str]) -> Loop:
    """Return a learner that knows nothing, for contexts and actions of at most the `widest` of a feature store, and
    these signals."""
    learner = learner_for(model)
    decodes = isinstance(learner, ThreeStateLearner)
    size = 1 << model.hash_bits
    tables = learner._empty_tables(size)
    second = tables["signals"] if decodes else tables["inverse_kinematics"]
    return (
        decodes,
        (tables["bandit"], second),
        running_totals.nothing_seen(),
        np.zeros(learner.totals),
        kernel_parameters(model),
        kernel.scratch(widest[0] * widest[1] * widest[2], widest[1]),
        np.zeros(three_state.OUTPUTS),
        compiled_reading(model, signals),
    )


@njit
def learn_one(learner, features, interaction, number, weight, play):
    """Learn one interaction, the `play`-th from 0 on, with the signal of that number; the outputs are the learner's."""
    decodes, (bandit, second), seen, totals, parameters, (index, value, start, posterior), out, reading = learner
    if decodes:
        read_one(reading, features, interaction, number, weight, play, NO_VALUES, 0, 0)
        three_state.learn_one(
            bandit, second, seen, totals, parameters, features, interaction, weight, index, value, out
        )
        decide(reading, bandit, play)
    else:
        _, told, _ = reading
        interaction[kernel_columns.SIGNAL], interaction[kernel_columns.ANCHOR] = told[number]
        kernel.learn_one(
            second, bandit, seen, totals, parameters, features, interaction, 1.0, weight, index, value, start,
            posterior, out,
        )  # fmt: skip


@njit
def action_scores(learner, features, context_row, set_row, out):
    """Write the score of each action of a set in a context."""
    decodes, (bandit, _), _, _, parameters, _, _, _ = learner
    if decodes:
        three_state_scores.action_scores(bandit, features, parameters[kernel_columns.SHARED], context_row, set_row, out)
    else:
        exploration_kernel.action_scores(bandit, features, parameters[kernel_columns.SHARED], context_row, set_row, out)


@njit
def constant_counted(learner, features, context_row):
    """Return whether the constant feature of a context counts beside others."""
    decodes, _, _, _, parameters, _, _, _ = learner
    shared = parameters[kernel_columns.SHARED]
    return three_state.constant_needed(features, context_row, shared) if decodes else shared != 0.0
