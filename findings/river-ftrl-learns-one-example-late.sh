#!/usr/bin/env bash
# Library: river 0.26.1, optim.FTRLProximal in linear_model.LogisticRegression, next to algorithm 1 of the paper that it names (McMahan and
#   others 2013), written out below.
# Guess: what learn_one takes in is in the next prediction, as with SGD; and l1 gives a weight of exactly 0 to each feature whose |z| is
#   at most l1, which is what one takes FTRL-Proximal for.
# Seen: a step first makes the weights from z and only then adds the gradient to z. So the last gradient of each feature is in no
#   weight until that feature is learned again: after one click the prediction is still .5, and a feature that is seen once has no
#   weight for ever. And a weight is only ever written where |z| > l1, never set back: once nonzero, it keeps its last value.
# Hurts: click prediction, where most ids are seen once or twice: their one example is lost, and the loss is that of a model one
#   example behind per feature. With l1 the model never gets sparser, and weights of pure noise stay and go on counting.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check river==0.26.1
"$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import math
import random
import sys
from collections import defaultdict
from importlib.metadata import version

from river import linear_model, optim

print("river", version("river"))
ALPHA, BETA = 0.1, 1.0


class Paper:
    """Algorithm 1 with lambda 2 = 0: weights are made from z when they are needed."""

    def __init__(self, l1):
        self.l1, self.z, self.n = l1, defaultdict(float), defaultdict(float)

    def weight(self, i):
        z = self.z[i]
        return 0.0 if abs(z) <= self.l1 else -(z - math.copysign(self.l1, z)) * ALPHA / (BETA + math.sqrt(self.n[i]))

    def predict(self, i):
        return 1 / (1 + math.exp(-self.weight(i)))

    def learn(self, i, y):
        g = self.predict(i) - y
        sigma = (math.sqrt(self.n[i] + g * g) - math.sqrt(self.n[i])) / ALPHA
        self.z[i] += g - sigma * self.weight(i)
        self.n[i] += g * g


def river_model(l1):
    return linear_model.LogisticRegression(optim.FTRLProximal(alpha=ALPHA, beta=BETA, l1=l1, l2=0.0), intercept_lr=0.0)


def clicks(model, paper, count, features, rate):
    """Learns from one random feature at a time; the mean log loss of both before each."""
    rng, losses = random.Random(0), [0.0, 0.0]
    for _ in range(count):
        i = rng.randrange(features)
        y = rng.random() < rate(i)
        for n, p in enumerate((model.predict_proba_one({i: 1.0})[True], paper.predict(i))):
            losses[n] -= math.log(p if y else 1 - p) / count
        model.learn_one({i: 1.0}, y)
        paper.learn(i, y)
    return losses


model, paper = river_model(0.0), Paper(0.0)
model.learn_one({"ad": 1.0}, True)
paper.learn("ad", True)
once = model.predict_proba_one({"ad": 1.0})[True], paper.predict("ad")
print(f"after one click: river predicts {once[0]:.4f}, the paper {once[1]:.4f}")

model, paper = river_model(0.0), Paper(0.0)
losses = clicks(model, paper, 20_000, 4_000, lambda i: 0.9 if i % 2 else 0.1)
weights = sum(w != 0 for w in model.weights.values()), sum(paper.weight(i) != 0 for i in list(paper.z))
print(f"4,000 ads, 20,000 examples: log loss {losses[0]:.4f} against {losses[1]:.4f}; ads with a weight {weights[0]} against {weights[1]}")

model, paper = river_model(3.0), Paper(3.0)
clicks(model, paper, 40_000, 100, lambda i: 0.5)
noise = sum(w != 0 for w in model.weights.values()), sum(paper.weight(i) != 0 for i in list(paper.z))
stale = sum(w != 0 and abs(model.optimizer.z[i]) <= 3.0 for i, w in model.weights.items())
print(f"100 features of noise, l1 = 3: weights that are not 0: {noise[0]}, of which with |z| <= l1 {stale}; the paper: {noise[1]}")
as_seen = once[0] == 0.5 and once[1] > 0.505 and losses[0] > losses[1] + 0.004 and weights[0] < weights[1] - 50
as_seen &= noise[0] == 100 and stale >= 10 and noise[1] < 90
sys.exit(0 if as_seen else "not as recorded")
PYTHON
