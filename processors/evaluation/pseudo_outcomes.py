"""One number a decision whose mean is what a policy earns, and which is bounded below whatever the weights are.

After the doubly robust pseudo-outcomes of Waudby-Smith, Wu, Ramdas, Karampatziakis & Mineiro, *Anytime-valid
off-policy inference for contextual bandits* (arXiv 2210.10768), section 2. Theirs are for one policy and rewards in
[0, 1]; these are for rewards R in [-1, 1] and a contrast d(a | x) of policies: pi itself for the value of pi, pi -
pi' for what pi earns more than pi'. With p the logged probabilities, s(a) = d(a | x) / p(a | x), A the action that
was shown, and q(x, a) in [-1, 1] a prediction of its reward that was made before,

    Z = s(A) (R - b(x, A)) + sum over a of d(a | x) b(x, a)
    b(x, a) =  min( q(x, a), k / |s(a)| - 1)    where d(a | x) > 0
    b(x, a) = -min(-q(x, a), k / |s(a)| - 1)    where d(a | x) < 0

So s(A) (R - b) >= -k whatever R is, and Z >= -k - sum |d|, without any bound on s. E[Z | x] = sum of d(a | x) E[R |
x, a] by E[s(A) f(A) | x] = sum of d(a | x) f(a). The upper ones are -Z of the contrast -d.

For the value of one policy with k = 0 they are inverse propensity weights as they are, Z = s(A) (R + 1) - 1. The
larger the `reach` k, the less of the prediction is cut and the less Z varies, but the lower it may lie.

Assumed: the shown action was drawn by the logged probabilities, given x and all that was before; these, the contrast
and the predictions may depend on all that was before, too (the logging policy learns), but not on what was drawn.

Where p(a | x) = 0, b is -1 (1 where d < 0): of what the log cannot tell the worst is taken, so that the bounds hold
there, too. Where only the probability of the shown action was logged, b is that of k = 0, which needs no other.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from processors.evaluation.logged_decisions import Floats, LoggedDecisions


def pseudo_outcomes(
    decisions: LoggedDecisions, contrast: Floats, predicted: Floats, reaches: Sequence[float]
) -> Floats:
    """Return Z of each decision for each reach (J, n), of a contrast (n, K) and predicted rewards (n, K) in [-1, 1]."""
    rows, places = np.nonzero(contrast)
    amounts = contrast[rows, places]
    signs, sizes = np.sign(amounts), np.abs(amounts)
    logged = decisions.probabilities[rows, places]
    # 1 / |s|, and 0 where it is not known of all actions.
    inverse = np.where(decisions.fully_logged[rows], logged / sizes, 0.0)
    hoped = signs * predicted[rows, places]
    shown = np.flatnonzero(places == decisions.chosen[rows])
    shown_rows = rows[shown]
    weights, rewards = amounts[shown] / logged[shown], decisions.rewards[shown_rows]
    outcomes = np.empty((len(reaches), len(decisions)))
    for found, reach in zip(outcomes, reaches, strict=True):
        centres = np.minimum(hoped, reach * inverse - 1.0)  # times the sign of d
        found[:] = np.bincount(rows, sizes * centres, minlength=len(decisions))
        found[shown_rows] += weights * (rewards - signs[shown] * centres[shown])
    return outcomes
