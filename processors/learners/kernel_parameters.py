"""The settings of a model as the numbers that the compiled kernel reads."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from processors.learners import kernel, reward_rules
from processors.models.config import ModelConfig


def kernel_parameters(model: ModelConfig) -> NDArray[np.float64]:
    """Return the settings of a model as the numbers that the kernel reads."""
    values = np.zeros(kernel.PARAMETERS)
    ik, rule, bandit = model.inverse_kinematics, model.reward, model.bandit
    values[kernel.FORM] = kernel.ONE_VERSUS_REST if ik.form == "one-versus-rest" else kernel.SOFTMAX
    values[kernel.IK_RATE] = ik.learning_rate
    values[kernel.IK_CAP] = math.inf if ik.weight_cap is None else ik.weight_cap
    values[kernel.RULE] = reward_rules.RULES[rule.rule]
    values[kernel.THRESHOLD] = rule.threshold
    values[kernel.ALPHA] = 1.0 if rule.alpha is None else rule.alpha
    values[kernel.PRIOR] = rule.prior_strength
    values[kernel.BANDIT_RATE] = bandit.learning_rate
    values[kernel.BANDIT_CAP] = math.inf if bandit.weight_cap is None else bandit.weight_cap
    values[kernel.POLARITY] = reward_rules.polarity(model)
    values[kernel.SHARED] = model.shared_weights
    values[kernel.START] = ik.start == "uniform"
    values[kernel.EXTREMES] = reward_rules.EXTREMES[rule.extreme]
    return values
