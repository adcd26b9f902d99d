"""The dashboard of learning: whether to believe what is inferred, and what the policy is worth."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.boards import MODEL, PUBLICATIONS, RESTARTS, SEGMENT, Panels, board
from deploy.grafana.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    Series,
    bars_from_bad_to_good,
    curves,
)


def learning_health() -> dashboard.Dashboard:
    """Return the dashboard, in the order in which the learner works."""
    return board(
        "Learning health",
        "Whether feedback carries information, propensities are right, and the policy gets better.",
        ["model", "segment"],
        [PUBLICATIONS, RESTARTS],
        {
            "Inverse kinematics": _inverse_kinematics(),
            "Evidence": _evidence(),
            "Propensities": _propensities(),
            "Policy": _policy(),
        },
    )


def _inverse_kinematics() -> Panels:
    return [
        curves(
            "Log loss",
            "Nats. Below the prior, feedback tells which action was shown; at the prior it tells nothing, and "
            "neither do the inferred rewards.",
            [
                Series(f"max(groundswell_ik_log_loss{{{MODEL}}})", "posterior", BLUE),
                Series(f"max(groundswell_ik_prior_log_loss{{{MODEL}}})", "action prior", GREY, dashed=True),
            ],
            unit="none",
            lowest=0,
            width=8,
        ),
        curves(
            "Accuracy",
            "How often the shown action is the most likely one given the feedback.",
            [
                Series(f"max(groundswell_ik_accuracy{{{MODEL}}})", "posterior", BLUE),
                Series(f"max(groundswell_ik_prior_accuracy{{{MODEL}}})", "action prior", GREY, dashed=True),
            ],
            unit="percentunit",
            lowest=0,
            highest=1,
            width=8,
        ),
        curves(
            "Calibration",
            "How often the likeliest action was the shown one, for each time it should have been. 1 is right; below, "
            "posteriors are too sure of themselves.",
            [
                Series(f"max(groundswell_ik_calibration{{{MODEL}}})", "posterior", BLUE),
                Series("vector(1)", "right", GREY, dashed=True),
            ],
            unit="none",
            lowest=0,
            width=8,
        ),
    ]


def _evidence() -> Panels:
    late, every = (
        f"sum by (segment) (increase(groundswell_segment_feedback_total{{{labels}}}[30m]))"
        for labels in (f'{SEGMENT}, outcome="late"', SEGMENT)
    )
    return [
        curves(
            "Extreme and definitely negative interactions",
            "Shares over five minutes. Extreme: the inferred state is not 0. Without "
            "definitely negative ones, nothing tells bad from good.",
            [
                Series(f"model:groundswell_extreme:share5m{{{MODEL}}}", "extreme", BLUE),
                Series(f"model:groundswell_definitely_negative:share5m{{{MODEL}}}", "definitely negative", VERMILLION),
            ],
            unit="percentunit",
            lowest=0,
        ),
        bars_from_bad_to_good(
            "What each signal means, by segment",
            "Mean inferred state of the interactions with this signal, over half an hour, from ten on. Needs "
            "[segments.NAME].",
            Series(f"model_segment_signal:groundswell_meaning:mean30m{{{SEGMENT}}}", "{{segment}}: {{signal}}"),
        ),
        curves(
            "Feedback, by segment",
            "Pieces per second of a sample of the impressions, over five minutes: in time, and late. A segment "
            "whose app is silent falls to nothing here, and people there pass for indifferent. Needs [segments.NAME].",
            [
                Series(
                    f"sum by (segment, outcome) (rate(groundswell_segment_feedback_total{{{SEGMENT}}}[5m]))",
                    "{{segment}}: {{outcome}}",
                )
            ],
            unit="ops",
            lowest=0,
        ),
        curves(
            "Feedback that came late, by segment",
            "Share of the feedback of half an hour. What is late is not learned; the line is that of the alarm "
            "FeedbackLateInSegment. Needs [segments.NAME].",
            [
                Series(f"({late} or 0 * {every}) / ({every} > 0)", "{{segment}}"),
                Series("vector(0.1)", "too much", GREY, dashed=True),
            ],
            unit="percentunit",
            lowest=0,
        ),
    ]


def _propensities() -> Panels:
    return [
        curves(
            "Shown, and logged",
            "Of the action that the stated policy ranks first: how often it was shown, and the mean probability that "
            "the log gives it. They differ where propensities are wrong.",
            [
                Series(f"max(groundswell_ranked_first_shown_share{{{MODEL}}})", "shown", BLUE),
                Series(f"max(groundswell_ranked_first_logged_probability{{{MODEL}}})", "logged", ORANGE, dashed=True),
            ],
            unit="percentunit",
            lowest=0,
            highest=1,
            width=8,
        ),
        curves(
            "Mean importance weight",
            "Mean of 1/(K p): close to 1 where propensities are right and no log is sub-sampled.",
            [
                Series(f"model:groundswell_importance_weight:mean{{{MODEL}}}", "mean", BLUE),
                Series("vector(1)", "right", GREY, dashed=True),
            ],
            unit="none",
            lowest=0,
            width=8,
        ),
        curves(
            "Effective sample size",
            "As a share of the interactions: the rest is lost to uneven importance weights.",
            [Series(f"max(groundswell_effective_sample_share{{{MODEL}}})", "share", SKY)],
            unit="percentunit",
            lowest=0,
            highest=1,
            width=8,
        ),
    ]


def _policy() -> Panels:
    estimates = {
        "snips": ("worth (SNIPS)", PURPLE, False),
        "low": ("95 % interval: from", SKY, True),
        "high": ("95 % interval: to", BLUE, True),
        "ips": ("worth (IPS)", ORANGE, True),
        "logged": ("what was really shown", GREEN, False),
    }
    return [
        curves(
            "What the newest policy is worth",
            "Reward state per interaction, from -1 to 1, without exploring, estimated from a sample of the last "
            "interactions; no policy is judged on what it has learned from.",
            [
                Series(f'max(groundswell_policy_value{{{MODEL}, estimate="{estimate}"}})', name, colour, dashed)
                for estimate, (name, colour, dashed) in estimates.items()
            ],
            unit="none",
            lowest=-1,
            highest=1,
        ),
        curves(
            "Policies",
            "Published per minute, over five minutes.",
            [Series(f"60 * sum(rate(groundswell_policies_published_total{{{MODEL}}}[5m]))", "published", PURPLE)],
            unit="none",
            lowest=0,
            width=6,
        ),
        curves(
            "Age of the newest policy",
            "Since it was published.",
            [Series(f"model:groundswell_policy_age:seconds{{{MODEL}}}", "age", ORANGE)],
            unit="s",
            lowest=0,
            width=6,
        ),
    ]
