"""Reward rules: how what came back for an impression becomes a reward. The first is the default.

y- are the definitely negative signals, x the context, a the action, y the signal, r the latent state of (x, a), K the
number of actions.

three-state  `processors/learners/three_state.py`. Inverse kinematics is read as a mixture of three states,
             K P(a | x, y) = sum_r P(r | y, x) z_r(x, a) / mean_a' z_r(x, a') with z_r = P(r | x, a), and both of its
             parts are learned at once: z as linear rates beside the bandit's own score, the meanings of the signals by
             the slope of its logarithm. r = q+ - q-, the probabilities of the states by signal and action. It assumes:

             - given r, y depends neither on a nor, unless people are told apart by a feature, on x: the assumption of
               Interaction-Grounded Learning (Xie, Langford, Mineiro & Momennejad, ICML 2021);
             - the `indifferent` signals, `none` unless said otherwise, name the state 0;
             - y- come in the state -1 alone, but for accidents, and there is such a signal, or one that is definitely
               positive: without it, -1 and +1 could change places.

             It does not assume that extremes are rare, as the others do.

The papers' rules take for extreme what has K P(a | x, y) over the threshold, 2: a person who is indifferent gives
feedback that tells nothing about what was shown, so that this is 1 (ICLR 2023, section 4). It holds where the two
extreme states are rare in each context, and fails where people enjoy many things. With two actions it cannot exceed 2.

two-state    IGL-P(2): r = 1 if extreme, else 0. For people who are never seen to hate anything.
workshop     ORSUM 2022, eq. 3: r = -1 if y in y-, else alpha, if extreme; else 0.
iclr         IGL-P(3), ICLR 2023, eq. 4: r = -1/alpha if y in y-, else 1, if extreme; else 0.

What is extreme is `extreme`'s to say:

posterior    the step K P > 2 of the papers: reward all at once.
ramp         the Lipschitz estimator of NeurIPS 2024 (Zhang, Zhang, Luo & Mineiro, arXiv 2405.20677, section 3), which
             underestimates the reward where the posterior is not certain, rather than jump. With at most m of the K
             actions rewarded in a context (`most_rewarded`), K P is at most K/(K - m) where nothing was enjoyed, and at
             least K/m where it was. r is multiplied by 0 up to the first, by 1 from half-way to the second on, and by
             the straight line between; the state is not 0 where that is more than a half. It needs K > 2 m.
meaning      `processors/learners/spectral_embedding.py`; see below.

"meaning" asks not for K P(a | x, y): extreme is what has a positive z(x, y) in
`processors/learners/spectral_embedding.py`, and all that is not stays 0.

With definitely positive signals alone the rules are mirrored (ICLR 2023, footnote 1). With both kinds, a definitely
positive signal is +1 under "three-state".
"""

from __future__ import annotations

from typing import Final

from processors.learners import reward_decoding
from processors.models.config import ExtremeName, ModelConfig, RewardRuleName

RULES: Final[dict[RewardRuleName, int]] = {
    "three-state": reward_decoding.THREE_STATE,
    "two-state": reward_decoding.TWO_STATE,
    "workshop": reward_decoding.WORKSHOP,
    "iclr": reward_decoding.ICLR,
}

EXTREMES: Final[dict[ExtremeName, int]] = {
    "posterior": reward_decoding.BY_POSTERIOR,
    "meaning": reward_decoding.BY_MEANING,
    "ramp": reward_decoding.BY_RAMP,
}


def polarity(model: ModelConfig) -> float:
    """Return 1 where the anchoring signals are the negative ones, -1 where only positive ones are given.

    The two-state rule has no anchors and keeps its sign.
    """
    if model.reward.rule == "two-state":
        return 1.0
    return 1.0 if model.definitely_negative else -1.0


def anchor(model: ModelConfig, signal: str) -> int:
    """Return what is known of a signal beforehand: that it anchors the state of `polarity`, the opposite one or 0."""
    if signal in model.definitely_negative:
        return reward_decoding.ANCHORED
    if signal in model.definitely_positive:
        return reward_decoding.OPPOSITE if model.definitely_negative else reward_decoding.ANCHORED
    return reward_decoding.INDIFFERENT if signal in model.indifferent else reward_decoding.OTHER
