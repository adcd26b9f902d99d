#!/usr/bin/env bash
# Library: river 0.26.1, linear_model.BayesianLinearRegression.
# Guess: alpha, the "prior parameter", is the prior's precision, as in Bishop's book, which the code cites by equation; learn_many takes in the
#   rows that learn_one would, to the same posterior; and smoothing next to 1 is next to none.
# Seen: precision and covariance both start as 1 / alpha, which agree for alpha = 1 alone. learn_one works on the covariance and
#   has alpha as the precision; learn_many and smoothing= invert the precision matrix and have it as the variance. With alpha = .01 three rows
#   give the right 1.98 by learn_one and .016 by learn_many. One learn_many of a row of zeros, which tells nothing, turns what
#   learn_one had learned round: from .990 to .0099.
# Hurts: whoever sets a wide prior (or a tight one) and warms up in batches, then learns from the stream, or switches smoothing on against
#   drift: the prior is the opposite of the one that was asked for, and with it the width for Thompson sampling or UCB.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check river==0.26.1 pandas==3.1.1
OPENBLAS_NUM_THREADS=1 "$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import pandas as pd
from river.linear_model import BayesianLinearRegression

print("river", version("river"))
rows = pd.DataFrame(np.random.default_rng(0).normal(size=(3, 2)), columns=["a", "b"])
rewards = 2 * rows["a"] - rows["b"]
ASKED = {"a": 1.0, "b": 0.0}  # the reward there is 2


def posterior(model):
    answer = model.predict_one(ASKED, with_dist=True)
    return round(answer.mu, 4), round(answer.sigma, 4)


def exact(precision):
    covariance = np.linalg.inv(precision * np.eye(2) + rows.to_numpy().T @ rows.to_numpy())
    return round(float((covariance @ rows.to_numpy().T @ rewards)[0]), 4), round(float(np.sqrt(1 + covariance[0, 0])), 4)


as_seen = True
for alpha in 0.01, 1.0, 100.0:
    one, many, mixed = (BayesianLinearRegression(alpha=alpha) for _ in range(3))
    smooth = BayesianLinearRegression(alpha=alpha, smoothing=1 - 1e-9)
    for x, y in zip(rows.to_dict("records"), rewards):
        one.learn_one(x, y)
    many.learn_many(rows, rewards)
    smooth.learn_one(ASKED, 0.0)
    mixed.learn_one(ASKED, 1.0)
    before = posterior(mixed)
    mixed.learn_many(pd.DataFrame({"a": [0.0], "b": [0.0]}), pd.Series([0.0]))
    after = posterior(mixed)
    print(f"alpha {alpha}: mean and deviation by learn_one {posterior(one)}, by learn_many {posterior(many)}")
    print(f"  exact with alpha as precision {exact(alpha)}, as variance {exact(1 / alpha)}")
    print(f"  one row by learn_one {before}, then a row of zeros by learn_many {after}; the prior's deviation when smoothed {posterior(smooth)[1]}")
    as_seen &= posterior(one) == exact(alpha) and posterior(many) == exact(1 / alpha)
    as_seen &= (before == after) == (alpha == 1.0) and abs(posterior(smooth)[1] - (1 + alpha) ** 0.5) < 1e-3
sys.exit(0 if as_seen else "not as recorded")
PYTHON
