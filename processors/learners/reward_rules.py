"""Reward rules: how an extreme interaction becomes a reward.

An interaction is extreme where K * P(chosen | context, feedback) exceeds the threshold, 2: a person who is
indifferent gives feedback that tells nothing about what was shown. Which of the two extremes it is, the rules
decide; y- are the definitely negative signals, x the context, a the action, y the signal, K the number of
actions.

two-state    IGL-P(2): r = 1 if extreme, else 0. For people who are never seen to hate anything.
workshop     ORSUM 2022, eq. 3: r = -1 if y in y-, else alpha, if extreme; else 0.
iclr         ICLR 2023, eq. 4: r = -1/alpha if y in y-, else 1, if extreme; else 0.
counts       r = -1 if y in y- or q(x, a) > g; else 1, if extreme; else 0. g is the definitely negative share
             of all extreme interactions, each weighted 1/(K p); q(x, a) that of those with x and a, backed by
             `prior_strength` interactions at rate g. It needs no alpha.
pooled       r = -1 if y in y- or D(x, y) > 0, D the running mean, over the extreme interactions with context x
             and signal y, of log(q(x, a) / g); backed by that of y over all contexts.
pooled-own   r = -1 if y in y- or D(x, y) + log(q(x, a) / g) > 0. What the signal says and what the action says
             are added up.

mixture      The default. Two kinds of (x, a): marked ones, in the anchored state, that show y- at rate m, and
             plain ones that show it at rate b by accident; both rates are learned on line by the
             responsibilities of the plays seen (Dempster, Laird & Rubin 1977). With d definitely negative
             among n plays of (x, a), extreme or not, the evidence is L = d log(m/b) + (n - d) log((1 - m)/(1 -
             b)), within +-5; a play's responsibility is logistic(L - log(K - 1)). With R(x, y) the mean of
             logistic(L - 1) over the extreme interactions with context x and signal y, r = -1 if y in y- or L
             - 1 + logit(R(x, y)) > 0; else 1, if extreme; else 0. Counting all plays rather than the extreme
             ones, and knowing the accidental rate, is what makes it work where few of the hated items are
             disliked, and where signals are noisy.

Where a context has several features, q, L and D go from the most common to the rarest of them, each backed by
the one before. The last four take r for a function of context and action; where it is random given both, "iclr"
is right.

What is extreme may be asked of the posterior of this interaction, or of E(x, y), the running mean of K *
posterior over the interactions with context x and signal y, which a new action does not have to earn anew.
"graded" takes every E > 1 for evidence and multiplies the reward by min(1, log E / log K), so that a signal
counts by how much it tells; the state is 0 unless E exceeds the threshold. "meaning" asks neither: extreme is what has
a positive z(x, y) in `processors/learners/spectral_embedding.py`, and all that is not stays 0.

With definitely positive signals alone the rules are mirrored (ICLR 2023, footnote 1); with both kinds, a
definitely positive signal makes an extreme interaction +1 under the last four.
"""

from __future__ import annotations

from typing import Final

from processors.learners import reward_decoding
from processors.models.config import ExtremeName, ModelConfig, RewardRuleName

RULES: Final[dict[RewardRuleName, int]] = {
    "two-state": reward_decoding.TWO_STATE,
    "workshop": reward_decoding.WORKSHOP,
    "iclr": reward_decoding.ICLR,
    "counts": reward_decoding.COUNTS,
    "pooled": reward_decoding.POOLED,
    "pooled-own": reward_decoding.POOLED_OWN,
    "mixture": reward_decoding.MIXTURE,
}

EXTREMES: Final[dict[ExtremeName, int]] = {
    "posterior": reward_decoding.BY_POSTERIOR,
    "either": reward_decoding.BY_EITHER,
    "signal": reward_decoding.BY_SIGNAL,
    "graded": reward_decoding.GRADED,
    "meaning": reward_decoding.BY_MEANING,
}


def polarity(model: ModelConfig) -> float:
    """Return 1 where the anchoring signals are the negative ones, -1 where only positive ones are given.

    The two-state rule has no anchors and keeps its sign.
    """
    if model.reward.rule == "two-state":
        return 1.0
    return 1.0 if model.definitely_negative else -1.0


def anchor(model: ModelConfig, signal: str) -> int:
    """Return 1 for a signal that anchors the state of `polarity`, 2 for one that excludes it, 0 for others."""
    if signal in model.definitely_negative:
        return 1
    if signal in model.definitely_positive:
        return 2 if model.definitely_negative else 1
    return 0
