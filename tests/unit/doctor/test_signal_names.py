"""What the doctor makes of the names of signals."""

from __future__ import annotations

from streams.doctor.findings import Status
from streams.doctor.signal_names import of_signals


def test_names_that_are_nearly_those_of_the_configuration_are_told_from_the_first_on() -> None:
    found = of_signals(["click", "click", "Dislike"], {"dislike"})
    assert (found.check, found.status) == ("signals", Status.WARN)
    assert found.seen == "'Dislike' came 1 time, and the configuration names 'dislike'"
    assert "in the configuration as the app does" in found.remedy


def test_values_within_names_are_told() -> None:
    found = of_signals([f"watched {number}.5 s" for number in range(30)], {"dislike"})
    assert found.status is Status.WARN
    assert found.seen.startswith("30 signals of 30 pieces of feedback differ in nothing but their numbers, 'watched #")
    assert '"signal": "watched", "value": 83.21' in found.remedy


def test_otherwise_they_are_counted() -> None:
    found = of_signals([*["click"] * 9, *["like"] * 2, *"abcd"], {"dislike", "like"})
    assert found.status is Status.PASS
    assert found.seen == "of the last 15 pieces of feedback: click 9, like 2, a 1, b 1, c 1 and 1 more"
