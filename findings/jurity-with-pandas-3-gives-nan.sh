#!/usr/bin/env bash
# Library: jurity 2.1.0 with pandas 3.0 and later, which its requirements allow and a plain install brings.
# Guess: CTR(estimation="ips") and "dr" fill in 0 where the recommended item is not the one that was shown; a version of pandas that it
#   cannot work with would be excluded or raise.
# Seen: it fills in by a chained in-place call, which pandas 3 (copy-on-write) lets have no effect but a warning, so that each
#   such row stays NaN and the whole estimate is NaN, unless every recommendation matches. With pandas 2 the same call gives the number.
#   "matching" is not touched, so nothing looks broken until the estimator is changed.
# Hurts: whoever evaluates recommendations off-policy in a fresh environment: the estimate is NaN just for policies that differ from the
#   logged one, and a comparison such as nan > best silently keeps the old policy.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
cat > "$tmp/estimate.py" <<'PYTHON'
import json
from importlib.metadata import version

import pandas as pd
from jurity.recommenders import BinaryRecoMetrics

log = pd.DataFrame({"user_id": [1, 2, 3, 4], "item_id": list("abab"), "clicks": [1, 1, 0, 0], "propensity": 0.5})
recommended = pd.DataFrame({"user_id": [1, 2, 3, 4], "item_id": "a", "clicks": 0.25})
found = {}
for method in "matching", "ips", "dr":
    ctr = BinaryRecoMetrics.CTR(click_column="clicks", estimation=method, propensity_column="propensity")
    found[method] = float(ctr.get_score(log.copy(), recommended.copy()))
print("jurity", version("jurity"), "pandas", version("pandas"), json.dumps(found))
PYTHON
for pandas in 2.3.3 3.1.1; do
  python3.11 -m venv "$tmp/$pandas"
  "$tmp/$pandas/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check jurity==2.1.0 "pandas==$pandas"
  "$tmp/$pandas/bin/python" -W ignore "$tmp/estimate.py" | tee -a "$tmp/seen"
done
grep -q 'pandas 2.3.3 {"matching": 0.5, "ips": 0.5, "dr": 0.5}' "$tmp/seen"
grep -q 'pandas 3.1.1 {"matching": 0.5, "ips": NaN, "dr": NaN}' "$tmp/seen"
