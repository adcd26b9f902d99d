#!/usr/bin/env bash
# Library: category_encoders 2.11.2, HashingEncoder (pandas 3.1.1), next to scikit-learn's FeatureHasher.
# Guess: the hashing trick hashes "column=value", as FeatureHasher, VowpalWabbit and river do; the documentation speaks of "buckets per
#   encoded column". Hashing keeps no state, so a row is encoded alike in every batch.
# Seen: only the value's text is hashed, and all columns share the buckets. "user from DE, item from FR" and "user from FR, item from DE" are
#   one row, whatever n_components; equal ids of user and item are one feature. And one missing id in a batch makes pandas read its
#   integers as floats, "7" as "7.0", so that EVERY id of that column in that batch goes to another bucket, and the missing one
#   to that of the text "nan".
# Hurts: whoever hashes contexts and actions with one encoder (the model cannot tell them apart), or ids of batches of which some
#   have gaps: predictions of whole batches are those of other users, and nothing is raised. Values of the form "column=value" and
#   a string type avoid both.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check category_encoders==2.11.2 pandas==3.1.1 scikit-learn==1.9.1
"$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import io
import sys
from importlib.metadata import version

import pandas as pd
from category_encoders import HashingEncoder
from sklearn.feature_extraction import FeatureHasher

print(*(f"{name} {version(name)}" for name in ("category_encoders", "pandas", "scikit-learn")))
BUCKETS = 2**12


def buckets(encoder, rows):
    return [sorted(row.to_numpy().nonzero()[0].tolist()) for _, row in encoder.transform(rows).iterrows()]


trade = pd.DataFrame({"user": ["DE", "FR"], "item": ["FR", "DE"]})
encoder = HashingEncoder(cols=["user", "item"], n_components=BUCKETS, max_process=1).fit(trade)
there, back = buckets(encoder, trade)
hashed = FeatureHasher(BUCKETS).transform(trade.to_dict("records")).toarray()
print(f"user DE, item FR: {there}; user FR, item DE: {back}; FeatureHasher tells them apart: {bool((hashed[0] != hashed[1]).any())}")

whole, gap = pd.read_csv(io.StringIO("user,n\n7,0\n8,0\n9,0\n")), pd.read_csv(io.StringIO("user,n\n7,0\n8,0\n9,0\n,0\n"))
ids = HashingEncoder(cols=["user"], n_components=BUCKETS, max_process=1).fit(whole)
of_whole, of_gap = buckets(ids, whole[["user", "n"]]), buckets(ids, gap[["user", "n"]])
text = HashingEncoder(cols=["user"], n_components=BUCKETS, max_process=1).fit(whole.astype({"user": str}))
as_text = buckets(text, pd.DataFrame({"user": ["7.0", "8.0", "9.0", "nan"], "n": 0}))
print(f"users 7, 8, 9: {of_whole}; the same and one without: {of_gap}; the texts 7.0, 8.0, 9.0, nan: {as_text}")
as_seen = there == back and bool((hashed[0] != hashed[1]).any()) and len(there) == 2
as_seen &= all(one != other for one, other in zip(of_whole, of_gap)) and of_gap == as_text and len(of_gap) == 4
sys.exit(0 if as_seen else "not as recorded")
PYTHON
