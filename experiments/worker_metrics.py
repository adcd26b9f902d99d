"""Reads what a worker says about itself over HTTP."""

from __future__ import annotations

import urllib.error
import urllib.request

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
