"""The settings of a model as the numbers that the compiled kernel reads."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from processors.learners import kernel, kernel_columns, reward_rules
from processors.models.config import ModelConfig


def kernel_parameters(model: ModelConfig) -> NDArray[np.float64]:
    """Return the settings of a model as the numbers that the kernel reads."""
    values = np.zeros(kernel_columns.PARAMETERS)
    ik, rule, bandit = model.inverse_kinematics, model.reward, model.bandit
    values[kernel_columns.FORM] = kernel.ONE_VERSUS_REST if ik.form == "one-versus-rest" else kernel.SOFTMAX
    values[kernel_columns.IK_RATE] = ik.learning_rate
    values[kernel_columns.IK_CAP] = math.inf if ik.weight_cap is None else ik.weight_cap
    values[kernel_columns.RULE] = reward_rules.RULES[rule.rule]
    values[kernel_columns.THRESHOLD] = rule.threshold
    values[kernel_columns.ALPHA] = 1.0 if rule.alpha is None else rule.alpha
    values[kernel_columns.BANDIT_RATE] = bandit.learning_rate
    values[kernel_columns.BANDIT_CAP] = math.inf if bandit.weight_cap is None else bandit.weight_cap
    values[kernel_columns.POLARITY] = reward_rules.polarity(model)
    values[kernel_columns.SHARED] = model.shared_weights
    values[kernel_columns.START] = ik.start == "uniform"
    values[kernel_columns.EXTREMES] = reward_rules.EXTREMES[rule.extreme]
    values[kernel_columns.MOST_REWARDED] = rule.most_rewarded
    return values
