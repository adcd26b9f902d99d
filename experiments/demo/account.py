"""The account of one run of the demo, line by line: what was produced, what became of it, and what is amiss."""

from __future__ import annotations

from dataclasses import dataclass

from rich.table import Table

from experiments.demo.result import Summary


@dataclass(frozen=True)
class Check:
    """One line of the account of what became of the messages; `ok` is None where nothing is promised."""

    what: str
    count: int
    ok: bool | None
    remark: str


def ledger(summary: Summary) -> list[Check]:
    """Return what became of the messages, line by line."""
    prefetched = Check("asked for ahead", summary.impressions_deferred, None, "counted once activated")
    return [
        Check("impressions produced", summary.impressions_produced, None, "each id counted once"),
        *([prefetched] if summary.impressions_deferred else []),
        _all("joined with their feedback", summary.interactions_joined, summary.impressions_produced),
        _all("learned from", summary.interactions_learned, summary.impressions_produced),
        _none("lost", summary.lost),
        _none("joined twice", summary.joined_twice),
        _none("learned twice", summary.learned_twice),
        _all("contained in the last policy", summary.policy_version, summary.interactions_learned),
        Check("impressions sent twice", summary.impressions_repeated, None, "learned once all the same"),
        Check("feedback produced", summary.feedback_produced, None, "each id counted once"),
        Check("joined with its impression", summary.feedback_joined, None, "came within the wait"),
        Check("came too late", summary.feedback_late, None, "on the topic for late feedback"),
        _none("feedback neither joined nor set aside", summary.feedback_lost),
        Check("feedback sent twice", summary.feedback_repeated, None, "counted once all the same"),
        _none("messages refused as malformed", summary.dead_letters),
    ]


def percent(share: float) -> str:
    """Return a share as a percentage that says 100% only where nothing is missing, and 0% only of nothing."""
    if 0.999 <= share < 1:
        return f"{100 * share:.2f}%" if share < 0.9999 else ">99.99%"
    if 0 < share < 0.001:
        return "<0.1%"
    return f"{100 * share:.1f}%" if share not in {0, 1} else f"{100 * share:.0f}%"


def _all(what: str, count: int, wanted: int) -> Check:
    return Check(what, count, count == wanted, "all" if count == wanted else f"should be {wanted:,}")


def _none(what: str, count: int) -> Check:
    return Check(what, count, count == 0, "none" if count == 0 else "should be none")


def summary_table(summary: Summary) -> Table:
    """Return the account for a terminal of 80 columns."""
    table = Table(title="groundswell demo", show_header=False, title_justify="left", box=None, pad_edge=False)
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    for check in ledger(summary):
        mark = {None: "", True: "✓ ", False: "✗ "}[check.ok]
        table.add_row(check.what, f"{check.count:,}", mark + check.remark)
    return table


def found(summary: Summary) -> list[str]:
    """Return what the run found beside the policy, in lines for a terminal."""
    lines = [
        f"States:  {percent(summary.state_accuracy)} inferred rightly after the first quarter; "
        f"{percent(summary.unknown.share)} unknown in all"
    ]
    lines += [
        f"Leak:    {leak.signal} tells the action: {'left out' if leak.left_out else 'not left out'} "
        f"after about {leak.found_after:,} interactions"
        for leak in summary.leaking_signals
    ]
    compared = [one.holds for one in summary.signal_worth if one.holds is not None]
    if compared:
        lines.append(
            f"Worth:   of {len(compared)} signals that are learned from, {sum(compared)} intervals have the truth"
        )
    return lines


def headline(summary: Summary) -> str:
    """Return what the whole run comes to, in a line."""
    return (
        f"True value of the last policy: {summary.greedy_value:.3f} (1 at best, 0 at random; "
        f"{summary.policy_value:.3f} exploring)"
    )
