#!/usr/bin/env bash
# Library: vowpalwabbit 9.11.9, --dsjson with --cb_explore_adf.
# Guess: a DSJSON line is a JSON object, so the order of its keys says nothing; a label that cannot be used is reported.
# Seen: the keys _label_cost and _label_probability count only BEFORE the key c (the context and its actions). Where either comes after
#   it, the line is read, counted and passed over as unlabelled, without a word: nothing is learned, the average loss is 0. a, p, pdrop and
#   _label_Action may stand on either side, and the keys within c in any order. A cost written as a string is as silently lost.
# Hurts: whoever joins rewards to logged decisions and puts the outcome behind what was logged, or passes the lines through a store that
#   sorts keys by length (as PostgreSQL's jsonb does: c, p and a come first): training runs through, the counts are right, and
#   the policy stays uniform.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check vowpalwabbit==9.11.9
"$tmp/venv/bin/python" - <<'PYTHON'
import json
import sys
from importlib.metadata import version

import vowpalwabbit

print("vowpalwabbit", version("vowpalwabbit"))
LABEL = {"_label_cost": -1, "_label_probability": 0.5, "_label_Action": 1, "_labelIndex": 0}
DECISION = {"a": [1, 2], "p": [0.5, 0.5]}
CONTEXT = {"c": {"user": {"age": 1}, "_multi": [{"item": {"name": "x"}}, {"item": {"name": "y"}}]}}
FIRST = {**LABEL, **DECISION, **CONTEXT}


def last(key, line=FIRST):
    return {**{k: v for k, v in line.items() if k != key}, key: line[key]}


LINES = {
    "label, decision, context": FIRST,
    "decision, context, label": {**DECISION, **CONTEXT, **LABEL},
    "by length of key": dict(sorted(FIRST.items(), key=lambda item: (len(item[0]), item[0]))),
    "_label_cost last": last("_label_cost"),
    "_label_probability last": last("_label_probability"),
    "cost as a string": {**FIRST, "_label_cost": "-1"},
    "_label_Action last": last("_label_Action"),
    "a and p last": last("p", last("a")),
    "pdrop last": {**FIRST, "pdrop": 0.9},
    "actions before the user": {**FIRST, "c": last("user", CONTEXT["c"])},
}
played, weights = {}, {}
for name, line in LINES.items():
    vw = vowpalwabbit.Workspace("--dsjson --cb_explore_adf --epsilon 0.2 --quiet")
    for _ in range(50):
        examples = vw.parse(json.dumps(line))
        vw.learn(examples)
        vw.finish_example(examples)
    weights[name], loss = round(vw.get_weighted_examples()), vw.get_sum_loss()
    examples = vw.parse(json.dumps({**DECISION, **CONTEXT}))
    played[name] = [round(p, 3) for p in vw.predict(examples)]
    vw.finish_example(examples)
    vw.finish()
    print(f"{name}: a weight of {weights[name]} read, sum of losses {loss:.1f}; then plays {played[name]}")
lost = [name for name, pmf in played.items() if pmf == [0.5, 0.5]]
learned = [name for name, pmf in played.items() if pmf == [0.9, 0.1]]
as_seen = lost == list(LINES)[1:6] and learned == list(LINES)[:1] + list(LINES)[6:]
as_seen &= all(weight == (500 if name == "pdrop last" else 50) for name, weight in weights.items())
sys.exit(0 if as_seen else "not as recorded")
PYTHON
