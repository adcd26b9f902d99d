#!/usr/bin/env bash
# Library: prometheus-client 0.26.0 (Python), next to prom-client 15.1.3 (Node).
# Guess: a histogram of rewards from -1 to 1 exposes _bucket, _sum and _count like any other; mean reward = _sum over _count.
# Seen: where the first bucket's bound is below 0 the Python client leaves _sum out, in the text format as in OpenMetrics, and warns of
#   nothing; Node's does expose it. The same rewards in buckets from 0 up have a _sum in Python too, although it then falls with each
#   -1, which rate() takes for a restart: falling from 10 to 9 counts as 9 more. So neither shape gives a mean reward.
# Hurts: whoever graphs the rewards of -1, 0 and 1 (IGL, or costs as VowpalWabbit logs them) that a service in Python observes: the panel of the
#   mean is empty, or far too high, and an alert on it never fires. Count each reward state in a counter of its own.
set -euo pipefail
tmp="$(mktemp -d)"
trap 'rm -rf "$tmp"' EXIT
python3.11 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check prometheus-client==0.26.0
cd "$tmp"
npm install --silent --no-audit --no-fund --cache "$tmp/cache" prom-client@15.1.3 > /dev/null
cat > rewards.js <<'JS'
const { Histogram, register } = require("prom-client");
const reward = new Histogram({ name: "reward", help: "of decisions", buckets: [-1, 0, 1] });
for (const value of [-1, 0, 1, 1]) reward.observe(value);
register.metrics().then((text) => console.log(text.split("\n").filter((line) => /^reward_(sum|count)/.test(line)).join(", ")));
JS
node_saw="$(node rewards.js)"
echo "prom-client $(node -p 'require("prom-client/package.json").version'): $node_saw"
test "$node_saw" = "reward_sum 1, reward_count 4"
"$tmp/venv/bin/python" - <<'PYTHON'
import sys
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as openmetrics

print("prometheus-client", version("prometheus-client"))
registry = CollectorRegistry()
both = Histogram("reward", "of decisions", buckets=(-1, 0, 1), registry=registry)
upper = Histogram("reward_from_zero", "of decisions", buckets=(0, 1), registry=registry)
sums = []
for reward in (-1, 0, 1, 1, 1, -1, -1):
    both.observe(reward)
    upper.observe(reward)
    sums.append(registry.get_sample_value("reward_from_zero_sum"))
shown = {
    name: [line for line in render(registry).decode().splitlines() if line.startswith(("reward_sum", "reward_count"))]
    for name, render in (("text format", generate_latest), ("OpenMetrics", openmetrics))
}
print("buckets from -1:", shown)
print("buckets from 0, the sum after each of -1, 0, 1, 1, 1, -1, -1:", sums)
as_seen = all(lines == ["reward_count 7.0"] for lines in shown.values()) and sums == [-1, -1, 0, 1, 2, 1, 0]
sys.exit(0 if as_seen else "not as recorded")
PYTHON
