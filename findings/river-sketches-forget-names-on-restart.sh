#!/usr/bin/env bash
# Library: river 0.26.1, sketch.Counter (count-min) and sketch.Set (Bloom filter), next to sketch.NUnique.
# Guess: counts "are always overestimates", a Bloom filter gives no false negatives, and with seed= "for reproducibility" both can be pickled
#   with the rest of a model's state and go on after a restart, or be merged with those of another worker.
# Seen: items are placed by Python's hash(), which for strings is salted anew in each process. Loaded in another process, the sketch has all
#   its bits and counts and finds none of them, but by chance: each id counts 0 and is "not in" the set. Its total is right, and nothing is
#   raised. Two workers with one seed share no hash functions either, so their union holds nothing of one of them. Integers
#   are found, and NUnique, which hashes by blake2, goes on rightly; PYTHONHASHSEED=0 in all processes avoids it.
# Hurts: whoever drops duplicate feedback, caps impressions per user or counts ids with them in a stream processor: after each restart and
#   each rebalance all is new, duplicates are learned twice, and the filter fills up with every item a second time.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
unset PYTHONHASHSEED
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check river==0.26.1
cat > "$tmp/seen.py" <<'PYTHON'
import json
import pickle
import sys
from importlib.metadata import version

from river import sketch

path, worker = sys.argv[1:]
IDS = {"strings": [f"impression-{n}" for n in range(300)], "integers": list(range(300))}


def known(counter, seen, ids):
    return [sum(counter[one] >= 1 for one in ids), sum(one in seen for one in ids)]


def fill():
    counter, seen, distinct = sketch.Counter(epsilon=0.001, delta=0.01, seed=1), sketch.Set(capacity=1000, seed=1), sketch.NUnique(seed=1)
    for ids in IDS.values():
        for one in ids:
            counter.update(one)
            seen.add(one)
    for one in IDS["strings"]:
        distinct.update(one)
    return counter, seen, distinct


if worker == "first":
    with open(path, "wb") as file:
        pickle.dump(fill(), file)
with open(path, "rb") as file:
    counter, seen, distinct = pickle.load(file)
result = {name: known(counter, seen, ids) for name, ids in IDS.items()}
result["total"] = counter.total()
if worker == "second":
    before = distinct.get()
    for one in IDS["strings"]:
        distinct.update(one)
    result["nunique"] = [before, distinct.get()]
    other = sketch.Set(capacity=1000, seed=1)
    other.add("impression-of-the-second")
    union = seen | other
    result["union"] = [known(counter, union, IDS["strings"])[1], "impression-of-the-second" in union]
print(json.dumps({"river": version("river"), **result}))
PYTHON
"$tmp/venv/bin/python" "$tmp/seen.py" "$tmp/state" first > "$tmp/first"
"$tmp/venv/bin/python" "$tmp/seen.py" "$tmp/state" second > "$tmp/second"
"$tmp/venv/bin/python" - "$tmp/first" "$tmp/second" <<'PYTHON'
import json
import sys

first, second = (json.load(open(path)) for path in sys.argv[1:])
print("river", first["river"])
for name, seen in ("the process that pickled them", first), ("another that loads them", second):
    for kind in "strings", "integers":
        print(f"{name}: of 300 {kind} {seen[kind][0]} are counted, {seen[kind][1]} are in the set; total {seen['total']}")
print(f"strings found in the union with a second worker's set: {second['union'][0]}, the second's own: {second['union'][1]}")
print(f"NUnique before and after all strings once more: {second['nunique']}")
as_seen = first["strings"] == first["integers"] == second["integers"] == [300, 300] and first["total"] == second["total"] == 600
as_seen &= max(second["strings"]) < 60 and second["union"][0] < 60 and second["union"][1]
as_seen &= second["nunique"][0] == second["nunique"][1] and 250 < second["nunique"][0] < 350
sys.exit(0 if as_seen else "not as recorded")
PYTHON
