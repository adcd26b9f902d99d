#!/usr/bin/env bash
# Library: river 0.26.1, stats.Mean and stats.Var, and the metrics built on the mean (LogLoss, MAE, RMSE ...).
# Guess: update(x, w) with the importance weight w = target probability / logged probability gives the self-normalized estimate; a row
#   on which the target policy would not have acted so (w = 0) changes nothing. Var(w=) is the weighted variance, whatever the
#   scale of the weights.
# Seen: rows of weight 0 change nothing except at the start: one before any positive weight raises ZeroDivisionError, in Mean and in the
#   loss metrics; Accuracy and F1 take it. Var takes w for a number of copies and subtracts one from their sum: weights that add up
#   to 1 or less give a variance of 0, those that add up to 1.05 twenty times too much, and 100 times the weights the right one.
# Hurts: whoever keeps off-policy estimates of a deterministic policy with river's statistics: with K actions the first row has weight 0
#   in K - 1 of K streams, after each restart or in each new group; and intervals from Var of normalized weights have no width.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check river==0.26.1
"$tmp/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from river import metrics, stats

print("river", version("river"))


def first_weight(statistic, *observed):
    try:
        statistic.update(*observed, 0.0)
    except ZeroDivisionError as error:
        return type(error).__name__
    return "taken"


first = {
    type(statistic).__name__: first_weight(statistic, *observed)
    for statistic, *observed in (
        (stats.Mean(), 1.0), (stats.Var(), 1.0), (metrics.LogLoss(), True, 0.5), (metrics.MAE(), 1.0, 0.5),
        (metrics.RMSE(), 1.0, 0.5), (metrics.Accuracy(), True, True), (metrics.F1(), True, True),
    )  # fmt: skip
}
print("a first row of weight 0:", first)
mean = stats.Mean()
mean.update(1.0, 2.0)
mean.update(0.0, 0.0)
print("a second row of weight 0: mean", mean.get())

rewards = [0.0, 1.0] * 50  # variance .25
variances = {}
for total in 1.0, 1.05, 2.0, 100.0, 10_000.0:
    variance = stats.Var()
    for reward in rewards:
        variance.update(reward, total / len(rewards) * (1 - 1e-12))
    variances[total] = round(variance.get(), 3)
print("variance of as many 0 as 1 (.25), by the sum of the weights:", variances)
raising = [name for name, outcome in first.items() if outcome == "ZeroDivisionError"]
as_seen = raising == ["Mean", "Var", "LogLoss", "MAE", "RMSE"] and mean.get() == 1
sys.exit(0 if as_seen and list(variances.values()) == [0.0, 5.25, 0.5, 0.253, 0.25] else "not as recorded")
PYTHON
