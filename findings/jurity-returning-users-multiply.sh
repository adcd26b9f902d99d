#!/usr/bin/env bash
# Library: jurity 2.1.0 (with pandas 2.3.3), recommenders' CTR by matching, IPS and DR; also mab2rec's metrics, which are these.
# Guess: one row of the log and one row of recommendations per impression give one term of the estimate each: recommending just
#   what was shown, with propensity 1, all three methods give the log's mean reward, with a support of the number of rows.
# Seen: rows are joined by (user, item) alone. A user who saw one item m times and has it recommended m times becomes m squared matches,
#   and m cubed terms of IPS and DR. Four impressions (a regular's three, one click; a newcomer's one, clicked): CTR .5 is
#   estimated as .4 by matching (support 10) and as .357 by IPS and DR (support 28).
# Hurts: whoever evaluates a policy from an impression log: regulars outweigh all others by the square or cube of their visits,
#   and the support, which should tell, grows with it. One row per user and item, or an impression id in place of the user, avoids it.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check jurity==2.1.0 pandas==2.3.3
"$tmp/venv/bin/python" -W ignore - <<'PYTHON'
import sys
from importlib.metadata import version

import pandas as pd
from jurity.recommenders import BinaryRecoMetrics

print("jurity", version("jurity"), "pandas", version("pandas"))


def estimates(users):
    """The clicks of each impression, of which the same item was shown and is recommended, with propensity 1."""
    log = pd.DataFrame({"user_id": users, "item_id": "a", "clicks": [1, 0, 0, 1], "propensity": 1.0})
    recommended = pd.DataFrame({"user_id": users, "item_id": "a", "clicks": 0.5})
    found = {}
    for method in "matching", "ips", "dr":
        ctr = BinaryRecoMetrics.CTR(click_column="clicks", estimation=method, propensity_column="propensity")
        score = ctr.get_score(log.copy(), recommended.copy(), return_extended_results=True)
        found[method] = round(float(score["ctr"]), 3), int(score["support"])
    return found


regular, distinct = estimates(["regular"] * 3 + ["newcomer"]), estimates(["i1", "i2", "i3", "i4"])
print("mean of the clicks .5; (estimate, support) by user id:   ", regular)
print("                       (estimate, support) by impression:", distinct)
as_seen = regular == {"matching": (0.4, 10), "ips": (0.357, 28), "dr": (0.357, 28)} and set(distinct.values()) == {(0.5, 4)}
sys.exit(0 if as_seen else "not as recorded")
PYTHON
