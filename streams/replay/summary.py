"""What came of the rows of a log, and of the files beside it: it adds up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from streams.words import counted


@dataclass(frozen=True)
class FeedbackFileSummary:
    """What came of a file of feedback.

    `joined` of its `rows` belong to an impression that was replayed, `stray` ones do not; `left_out` are wrong.
    `repeats` counts pieces that came before: retries.
    """

    path: Path
    rows: int
    joined: int
    stray: int
    left_out: int
    repeats: int


@dataclass(frozen=True)
class ReplaySummary:
    """What was read and produced.

    `rows` are the file's, `duplicates` those that deduplication dropped, `refused` the rows that were left out,
    by the field or the reason, `beyond_limit` those that were not asked for. `impressions` went out, `unanswered` of
    them without feedback. `feedback` counts by signal, `late` of it come after the join's wait, `actions` the
    impressions by shown action. `reasons` has a sentence for each reason to leave a row out, of all files. `watermark`
    (ms) is what the end of input promised; None where nothing was sent. `remarks` are what to look at although all is
    well with the rows.
    """

    rows: int
    duplicates: int
    impressions: int
    beyond_limit: int
    unanswered: int
    feedback: Mapping[str, int]
    late: int
    actions: Mapping[str, int]
    refused: Mapping[str, int]
    reasons: tuple[str, ...]
    feedback_files: tuple[FeedbackFileSummary, ...]
    watermark: int | None
    seconds: float
    remarks: tuple[str, ...] = ()

    def in_words(self) -> Iterator[str]:
        """Yield what to tell of it, line by line."""
        yield (
            f"{counted(self.impressions, 'impression')} of {counted(self.rows, 'row')} ({self.duplicates:,} repeated, "
            f"{sum(self.refused.values()):,} left out), feedback {dict(self.feedback)}, unanswered {self.unanswered}, "
            f"{self.seconds:.1f} s" + (" (checked, nothing was sent)" if self.watermark is None else "")
        )
        yield from self.sums()
        if self.late:
            yield (
                f"{counted(self.late, 'piece of feedback comes', 'pieces of feedback come')} after the join's wait "
                "and will not count: see join.wait"
            )
        yield from (f"look at this: {remark}" for remark in self.remarks)

    def sums(self) -> Iterator[str]:
        """Yield how the rows add up, and why some were left out."""
        beyond = f" + {self.beyond_limit:,} beyond the limit" if self.beyond_limit else ""
        yield (
            f"{counted(self.rows, 'row')} = {counted(self.impressions, 'impression')} + {self.duplicates:,} repeated + "
            f"{sum(self.refused.values()):,} left out{beyond}"
        )
        for file in self.feedback_files:
            yield (
                f"{file.path.name}: {counted(file.rows, 'row')} = {file.joined:,} of impressions replayed + "
                f"{file.stray:,} of none + {file.left_out:,} left out; {counted(file.repeats, 'repeat')}"
            )
        yield from (f"left out, {reason}" for reason in self.reasons)
