"""The dashboard of the flow: what comes, what becomes of it, how long it takes, and whether it is kept."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.boards import PARTITION, RESTARTS, Panels, board
from deploy.grafana.panels import BLUE, GREY, ORANGE, PURPLE, SKY, VERMILLION, YELLOW, Series, curves

IMPRESSION_OUTCOMES = {
    "matched": ("with feedback", BLUE),
    "none": ("without feedback", GREY),
    "not_shown": ("never shown", YELLOW),
    "late_impression": ("too late", PURPLE),
    "evicted": ("evicted", VERMILLION),
    "duplicate_impression": ("repeated", SKY),
    "conflicting_impression": ("repeated with other content", ORANGE),
}
FEEDBACK_OUTCOMES = {
    "feedback_matched": ("joined", BLUE),
    "duplicate_feedback": ("repeated", SKY),
    "late": ("late", ORANGE),
    "too_early": ("too early", YELLOW),
    "feedback_late_impression": ("impression too late", GREY),
    "orphan": ("no such impression", VERMILLION),
    "misplaced_orphan": ("no such impression, on another partition than its key's", PURPLE),
}


def pipeline() -> dashboard.Dashboard:
    """Return the dashboard, in the direction of the flow."""
    return board(
        "Pipeline",
        "What comes in, what becomes of it, how long it takes, and whether it is kept.",
        ["partition"],
        [RESTARTS],
        {"Flow": _flow(), "Time": _time(), "Behind": _behind(), "Kept": _kept()},
    )


def _flow() -> Panels:
    return [
        curves(
            "Impressions",
            "Per second, over all models: what the join made of them.",
            _outcomes(IMPRESSION_OUTCOMES),
            unit="ops",
            lowest=0,
        ),
        curves(
            "Feedback",
            "Per second, over all models: what the join made of it.",
            _outcomes(FEEDBACK_OUTCOMES),
            unit="ops",
            lowest=0,
        ),
        curves(
            "Records read",
            "Per second, by topic.",
            [Series("topic:groundswell_received:rate5m", "{{topic}}")],
            unit="ops",
            lowest=0,
            width=8,
        ),
        curves(
            "Feedback that found no impression",
            "Share of the feedback of five minutes, repeated ones aside.",
            [Series("groundswell_unjoined_feedback:share5m", "late, too early or orphan", ORANGE)],
            unit="percentunit",
            lowest=0,
            width=8,
        ),
        curves(
            "Dead letters",
            "Records per second that could not be used, by reason; they are kept on the dead-letter topic.",
            [
                Series(
                    "sum by (topic, reason) (rate(groundswell_dead_letters_total[5m])) "
                    'or label_replace(vector(0), "reason", "none so far", "", "")',
                    "{{topic}} {{reason}}",
                )
            ],
            unit="ops",
            lowest=0,
            width=8,
        ),
    ]


def _time() -> Panels:
    return [
        curves(
            "Feedback: after its impression",
            "Event time. What comes after the wait is late; a ninety-fifth percentile close to the wait asks for a "
            "longer one.",
            _quantiles("groundswell_feedback_delay_seconds"),
            unit="s",
            lowest=0,
            width=8,
        ),
        curves(
            "Feedback: late by",
            "Event time, of feedback that came after the wait.",
            _quantiles("groundswell_feedback_lateness_seconds"),
            unit="s",
            lowest=0,
            width=8,
        ),
        curves(
            "Interactions: written after the wait",
            "Of the oldest of each batch. The grace is part of it.",
            _quantiles("groundswell_join_delay_seconds"),
            unit="s",
            lowest=0,
            width=8,
        ),
        curves(
            "Rewards: written after the window",
            "From the end of an impression's window, its wait and the grace.",
            _quantiles("groundswell_reward_delay_seconds"),
            unit="s",
            lowest=0,
        ),
        curves(
            "Policies: written after what they include",
            "From an interaction being learned to the policy that includes it.",
            _quantiles("groundswell_publication_delay_seconds"),
            unit="s",
            lowest=0,
        ),
        curves(
            "Batches",
            "Time to work through one and have its outputs acknowledged: 95 % take no longer, by topic.",
            [
                Series(
                    "histogram_quantile(0.95, sum by (topic, le) (rate(groundswell_batch_seconds_bucket[5m])))",
                    "{{topic}}",
                )
            ],
            unit="s",
            lowest=0,
        ),
        curves(
            "Checkpoints: time",
            "From encoding to being acknowledged.",
            _quantiles("groundswell_checkpoint_seconds"),
            unit="s",
            lowest=0,
        ),
    ]


def _behind() -> Panels:
    return [
        curves(
            "Records not yet read",
            "By topic and partition.",
            [Series(f"sum by (topic, partition) (groundswell_consumer_lag{{{PARTITION}}})", "{{topic}} {{partition}}")],
            unit="short",
            lowest=0,
        ),
        curves(
            "How old the newest interaction is",
            "By partition. The join is always behind by its wait and grace.",
            [Series(f"time() - groundswell_watermark_timestamp_seconds{{{PARTITION}}}", "partition {{partition}}")],
            unit="s",
            lowest=0,
        ),
        curves(
            "Impressions waiting",
            "For their feedback, by partition.",
            [Series(f"groundswell_join_pending{{{PARTITION}}}", "partition {{partition}}")],
            unit="short",
            lowest=0,
        ),
        curves(
            "Feedback waiting",
            "For its impression, by partition.",
            [Series(f"groundswell_join_early_feedback{{{PARTITION}}}", "partition {{partition}}")],
            unit="short",
            lowest=0,
        ),
    ]


def _kept() -> Panels:
    return [
        curves(
            "Learned, and in no checkpoint",
            "Since when, of the partition that waits longest.",
            [Series("max(time() - groundswell_unsaved_since_timestamp_seconds) or vector(0)", "waiting", ORANGE)],
            unit="s",
            lowest=0,
            width=8,
        ),
        curves(
            "Checkpoints: size",
            "By partition of the interactions.",
            [Series(f"groundswell_checkpoint_bytes{{{PARTITION}}}", "partition {{partition}}")],
            unit="bytes",
            lowest=0,
            width=8,
        ),
        curves(
            "Repeated and sought",
            "Per second: interactions that had been learned before, and times that reading went back. Both are "
            "harmless, and tell of restarts.",
            [
                Series("sum(rate(groundswell_repeated_interactions_total[5m]))", "repeated", SKY),
                Series("sum(rate(groundswell_gaps_total[5m])) or vector(0)", "sought", VERMILLION, dashed=True),
            ],
            unit="ops",
            lowest=0,
            width=8,
        ),
    ]


def _outcomes(outcomes: dict[str, tuple[str, str]]) -> list[Series]:
    return [
        Series(f'outcome:groundswell_join:rate5m{{outcome="{outcome}"}}', name, colour)
        for outcome, (name, colour) in outcomes.items()
    ]


def _quantiles(histogram: str) -> list[Series]:
    return [
        Series(f"histogram_quantile({q}, sum by (le) (rate({histogram}_bucket[5m])))", name, colour, dashed)
        for q, name, colour, dashed in ((0.5, "half", BLUE, False), (0.95, "95 %", ORANGE, True))
    ]
