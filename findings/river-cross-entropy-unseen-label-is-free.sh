#!/usr/bin/env bash
# Library: river 0.26.1, metrics.CrossEntropy, next to river's LogLoss and scikit-learn 1.9.1's log_loss.
# Guess: the "multiclass generalization of the logarithmic loss": a true label to which the model gives no probability costs most,
#   as in LogLoss, where probabilities are clipped at 1e-15 (34.5); and the lowest is best.
# Seen: it sums over the labels in the prediction, so a true label that the model has never seen, and hence does not name, costs 0, the
#   score of a perfect prediction. A probability of 0 that is written out costs 34.5. A model that names only old labels
#   beats the one that knows the truth, and the more so the more new labels come.
# Hurts: whoever scores P(action | context, feedback), next-item or topic models on a stream where items come in: each new item makes
#   the curve look better, and a choice of models by it (is_better_than) falls on the one that has not learned the new labels.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check river==0.26.1 scikit-learn==1.9.1
"$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import random
import sys
from importlib.metadata import version

from river import dummy, evaluate, metrics
from sklearn.metrics import log_loss

print(*(f"{name} {version(name)}" for name in ("river", "scikit-learn")))


def cost(metric, truth, prediction):
    metric.update(truth, prediction)
    return metric.get()


unnamed = cost(metrics.CrossEntropy(), "new item", {"old item": 1.0})
named = cost(metrics.CrossEntropy(), "new item", {"old item": 1.0, "new item": 0.0})
binary = cost(metrics.LogLoss(), True, {False: 1.0})
other = log_loss(["new item"], [[0.0, 1.0]], labels=["new item", "old item"])
print(f"the true label is not in the prediction: {unnamed}, is in it with 0: {named:.1f}; LogLoss: {binary:.1f}; scikit-learn: {other:.1f}")


class Uniform(dummy.PriorClassifier):
    """Knows the items of today, and gives each the same probability."""

    def predict_proba_one(self, x):
        return {item: 0.1 for item in x["items"]}


rng, stream = random.Random(1), []
for n in range(2000):  # each hour, that is each 10 rows, a new item comes and the oldest of ten goes
    items = [f"item {n // 10 + k}" for k in range(10)]
    stream.append(({"items": items}, rng.choice(items)))
scores = {}
for name, model in ("uniform over the items on offer", Uniform()), ("always the first item, for ever", dummy.PriorClassifier()):
    scores[name] = metrics.CrossEntropy()
    if name.startswith("always"):
        model.learn_one({}, "item 0")
        for x, y in stream:
            scores[name].update(y, model.predict_proba_one(x))
    else:
        evaluate.progressive_val_score(stream, model, scores[name])
    print(f"{name}: {scores[name]}")
truth, first = scores.values()
print("the second is better:", first.is_better_than(truth))
as_seen = unnamed == 0 and named > 30 and binary > 30 and other > 15
as_seen &= first.is_better_than(truth) and abs(truth.get() - 2.303) < 0.001 and first.get() < 0.3
sys.exit(0 if as_seen else "not as recorded")
PYTHON
