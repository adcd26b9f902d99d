"""Reads what a worker says about itself over HTTP."""

from __future__ import annotations

import math
import urllib.error
import urllib.request
from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

TIMEOUT_SECONDS = 1.0


def get(url: str) -> str | None:
    """Return the page at `url`, or None while nothing answers there, or with an error."""
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return None


def join_outcomes(page: str) -> dict[str, int]:
    """Return how many impressions and pieces of feedback had each outcome in the join."""
    return {
        sample.labels["outcome"]: int(sample.value)
        for family in text_string_to_metric_families(page)
        if family.name == "groundswell_join"
        for sample in family.samples
        if sample.name == "groundswell_join_total" and sample.value
    }


def leaking_signals(page: str, model: str) -> dict[str, tuple[float, bool]]:
    """Return the signals that tell a model's action: the share that the action explains, and whether it is left out.

    The one with the largest share comes first.
    """
    found = {
        sample.labels["signal"]: (sample.value, sample.labels["left_out"] == "true")
        for family in text_string_to_metric_families(page)
        if family.name == "groundswell_leaking_signals"
        for sample in family.samples
        if sample.labels["model"] == model
    }
    return dict(sorted(found.items(), key=lambda one: (-one[1][0], one[0])))


def buckets(page: str, histogram: str) -> dict[float, float]:
    """Return how many values of a histogram without labels are no larger than each of its bounds."""
    return {
        float(sample.labels["le"]): sample.value
        for family in text_string_to_metric_families(page)
        if family.name == histogram
        for sample in family.samples
        if sample.name == f"{histogram}_bucket"
    }


def quantile(counts: Mapping[float, float], q: float) -> float:
    """Return what a share `q` of the values counted in `buckets` does not exceed, as Prometheus estimates it.

    Values are taken to lie evenly in their bucket; nan where there are none.
    """
    bounds = sorted(counts)
    rank = q * counts[bounds[-1]]
    if not rank:
        return math.nan
    lower, below = 0.0, 0.0
    for bound in bounds:
        if counts[bound] >= rank:
            return lower if math.isinf(bound) else lower + (bound - lower) * (rank - below) / (counts[bound] - below)
        lower, below = bound, counts[bound]
    raise ValueError(f"counts do not grow with their bounds: {counts}")
