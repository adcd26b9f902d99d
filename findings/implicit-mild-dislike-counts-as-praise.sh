#!/usr/bin/env bash
# Library: implicit 0.7.3, AlternatingLeastSquares (scipy 1.17.1).
# Guess: a value is the r of the paper (Hu, Koren and Volinsky), so confidence is 1 + alpha r: a stored 0 is like an item that is not
#   stored, and any negative value ("indicating that the user disliked the item") lowers the score below that of an item never shown.
# Seen: alpha times the value IS the confidence, and items not stored have confidence 1 in no preference. So an impression stored as 0
#   counts as no evidence at all, and a dislike counts for less than never having seen the item, unless it is below -1 / alpha: at
#   -1 it is the same as never seen, at 0, and next to 0, the score doubles.
# Hurts: whoever fills the matrix with rewards (0 for shown and not clicked), or with negative values that are scaled, discounted or
#   decayed to between -1 and 0: what was shown and left alone is recommended before what was never shown, the more so the older it is.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check implicit==0.7.3 scipy==1.17.1 numpy==2.4.6
OPENBLAS_NUM_THREADS=1 "$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import numpy as np
import scipy.sparse as sp
from implicit.cpu.als import AlternatingLeastSquares

print("implicit", version("implicit"))
USERS, ITEMS, USER, ITEM = 60, 10, 1, 0
rng = np.random.default_rng(0)
clicked = [(user, item) for user in range(USERS) for item in range(1, ITEMS) if rng.random() < 0.4]
clicked += [(user, ITEM) for user in range(2, USERS, 2)]  # half of the others clicked the item


def score(value, alpha):
    """Score of the item for the user with that value stored for them (None: nothing), the mean of five seeds."""
    cells = clicked + ([] if value is None else [(USER, ITEM)])
    values = [1.0 / alpha] * len(clicked) + ([] if value is None else [value])
    matrix = sp.csr_matrix((np.float32(values), tuple(zip(*cells))), shape=(USERS, ITEMS))
    scores = []
    for seed in range(5):
        model = AlternatingLeastSquares(factors=4, alpha=alpha, regularization=0.1, iterations=30, num_threads=1, random_state=seed)
        model.fit(matrix, show_progress=False)
        scores.append(model.user_factors[USER] @ model.item_factors[ITEM])
    return float(np.mean(scores))


as_seen = True
for alpha in 1.0, 0.1:
    unseen = score(None, alpha)
    stored = {value: score(value / alpha, alpha) for value in (0.0, -0.001, -0.1, -0.5, -1.0, -5.0)}
    print(f"alpha {alpha}: nothing stored {unseen:.3f};", ", ".join(f"{value / alpha:g} stored {s:.3f}" for value, s in stored.items()))
    as_seen &= stored[0.0] > 1.5 * unseen and stored[-0.5] > 1.2 * unseen > 1.2 * stored[-5.0] and abs(stored[-1.0] - unseen) < 1e-3
sys.exit(0 if as_seen else "not as recorded")
PYTHON
