"""An evaluation in words: what the log cannot speak of first, then values, then what the gate says."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from processors.evaluation.confidence_sequence import ERROR, Interval
from processors.evaluation.support import ENOUGH, Gap
from streams.evaluation.evaluation import AS_LOGGED, MOST_CONSTANTS, Compared, Evaluation, Valued
from streams.words import counted

MOST_GAPS: Final = 10
"""So many are named."""
LEAST_SUPPORTED: Final = 0.99


def in_words(evaluation: Evaluation, *, segmented: bool) -> Iterator[str]:
    """Yield it line by line."""
    yield from _support_in_words(evaluation, segmented=segmented)
    best, judged = evaluation.best_constant(), len(evaluation.constants())
    rows = [(one, one.sequence.interval()) for one in _valued(evaluation)]
    if best is not None:
        rows.append(best)
    yield ""
    yield f"rewards from -1 to 1; intervals hold at all times at once with {1 - ERROR:.0%} confidence"
    yield from _table(rows)
    if best is not None and judged > 1:
        yield (
            f"{best[0].name} is the best of {judged} and was chosen for how it looks: its interval is one of "
            f"{1 - ERROR / judged:.1%}, so that it holds for all {judged}; its other figures are too good"
        )
    if evaluation.actions() > MOST_CONSTANTS:
        yield f"only the first {MOST_CONSTANTS} of {evaluation.actions():,} actions were tried as the one for everybody"
    for one, interval in rows:
        yield from (f"look at this: {one.name}: {doubt}" for doubt in _doubts(one, interval))
    for difference in evaluation.compared():
        yield ""
        yield f"{difference.candidate} beside {difference.live}: {difference.decision.verdict}"
        yield f"  {difference.decision.reason}"


def as_plain(evaluation: Evaluation, *, segmented: bool) -> dict[str, Any]:
    """Return the same as plain values, for programs."""
    names, segments = evaluation.names()
    best = evaluation.best_constant()
    return {
        "decisions": evaluation.count,
        "gaps": [_gap(one, names, None) for one in evaluation.support.gaps_anywhere()],
        "segment_gaps": [_gap(one, names, segments) for one in evaluation.support.gaps()] if segmented else [],
        "values": [_row(one, one.sequence.interval()) for one in _valued(evaluation)],
        "best_constant": None if best is None else {**_row(*best), "of": len(evaluation.constants())},
        "differences": [_difference(one) for one in evaluation.compared()],
    }


def _valued(evaluation: Evaluation) -> list[Valued]:
    return [evaluation.logged, evaluation.random, *evaluation.named]


def _row(one: Valued, interval: Interval) -> dict[str, Any]:
    estimates = one.estimates
    return {
        "policy": one.name,
        "ips": estimates.ips,
        "snips": estimates.snips,
        "dr": estimates.dr,
        "low": interval.low,
        "high": interval.high,
        "decisions": estimates.count,
        "effective": estimates.effective,
        "largest_weight": estimates.largest_weight,
        "supported": estimates.supported,
        "doubts": list(_doubts(one, interval)),
    }


def _difference(one: Compared) -> dict[str, Any]:
    return {
        "candidate": one.candidate,
        "live": one.live,
        "low": one.interval.low,
        "high": one.interval.high,
        "verdict": one.decision.verdict,
        "reason": one.decision.reason,
    }


def _gap(gap: Gap, names: list[str], segments: list[str] | None) -> dict[str, Any]:
    segment = None if segments is None else segments[gap.segment]
    return {"segment": segment, "action": names[gap.action], "offered": gap.offered, "shown": gap.shown}


def _support_in_words(evaluation: Evaluation, *, segmented: bool) -> Iterator[str]:
    names, segments = evaluation.names()
    gaps = list(evaluation.support.gaps_anywhere())
    if not gaps:
        yield f"every one of {counted(evaluation.actions(), 'action')} was shown often enough to be spoken of"
    else:
        yield (
            f"of {len(gaps):,} of {counted(evaluation.actions(), 'action')} this log cannot speak: fewer than "
            f"{ENOUGH:g} effective showings"
        )
    yield from (
        f"  {names[gap.action]}: offered {gap.offered:,} times, shown {gap.shown:,}" for gap in gaps[:MOST_GAPS]
    )
    if len(gaps) > MOST_GAPS:
        yield f"  and {len(gaps) - MOST_GAPS:,} more"
    if not segmented:
        return
    everywhere = {gap.action for gap in gaps}
    within = [gap for gap in evaluation.support.gaps() if gap.action not in everywhere]
    if within:
        yield f"nor, of {len(within):,} actions that it speaks of elsewhere, in these segments:"
        for gap in within[:MOST_GAPS]:
            yield (
                f"  {segments[gap.segment]}, {names[gap.action]}: offered {gap.offered:,} times, shown {gap.shown:,}"
            )
        if len(within) > MOST_GAPS:
            yield f"  and {len(within) - MOST_GAPS:,} more"
    else:
        yield "and so it was in every segment"


def _table(rows: list[tuple[Valued, Interval]]) -> Iterator[str]:
    width = max(len("policy"), *(len(one.name) for one, _ in rows))
    yield f"  {'policy':<{width}}  {'SNIPS':>7}  {'IPS':>7}  {'DR':>7}  {'interval':>18}  effective decisions"
    for one, interval in rows:
        estimates = one.estimates
        numbers = "  ".join(_number(value) for value in (estimates.snips, estimates.ips, estimates.dr))
        bounds = "contradictory" if interval.contradictory else f"{interval.low:+.3f} to {interval.high:+.3f}"
        yield f"  {one.name:<{width}}  {numbers}  {bounds:>18}  {estimates.effective:,.0f} of {estimates.count:,}"


def _number(value: float | None) -> str:
    return f"{'-':>7}" if value is None else f"{value:>+7.3f}"


def _doubts(one: Valued, interval: Interval) -> Iterator[str]:
    """Yield why a row is not to be believed, or says little."""
    estimates = one.estimates
    if one.name == AS_LOGGED or not estimates.count:
        return
    if interval.contradictory:
        yield "no value fits both bounds: logged probabilities are probably not those that were acted by"
    if estimates.supported < LEAST_SUPPORTED:
        yield (
            f"{1 - estimates.supported:.0%} of what it would show is never shown there; the interval takes the worst "
            "and the best of it, and SNIPS, IPS and DR do not know"
        )
    if estimates.misweighted():
        yield (
            f"weights have a mean of {estimates.mean_weight:.3f} where {estimates.supported:.3f} is expected: logged "
            "probabilities are not those that were acted by, or it would show what never is"
        )
    if estimates.effective < ENOUGH:
        yield f"{estimates.effective:.0f} effective decisions: SNIPS, IPS and DR say nothing yet"
