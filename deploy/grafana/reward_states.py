"""The dashboard of reward states: what people are inferred to want, over all and by segment."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.boards import MODEL, PUBLICATIONS, RESTARTS, SEGMENT, Panels, board
from deploy.grafana.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    VERMILLION,
    Series,
    bars_from_bad_to_good,
    curves,
    figure,
)

STATES = {
    "1": ("+1 enjoyed", BLUE),
    "0": ("0 indifferent", GREY),
    "-1": ("-1 hated", VERMILLION),
    "unknown": ("unknown", PURPLE),
}
"""The three latent reward states of the papers, and what data cannot tell."""


def reward_states() -> dashboard.Dashboard:
    """Return the dashboard, most important first."""
    return board(
        "Reward states",
        "What people did, decoded into what they wanted, by model.",
        ["model", "segment"],
        [PUBLICATIONS, RESTARTS],
        {"Now": _now(), "Inferred": _inferred(), "By segment": _by_segment()},
    )


def _now() -> Panels:
    shares = [
        figure(
            f"State {name}",
            "Share of the interactions of the last five minutes.",
            Series(f'model_state:groundswell_rewards:share5m{{{MODEL}, state="{state}"}}', name, colour),
            unit="percentunit",
            decimals=1,
        )
        for state, (name, colour) in STATES.items()
    ]
    return [
        *shares,
        figure(
            "Mean inferred reward",
            "Per interaction, from -1 to 1, over five minutes.",
            Series(f"model:groundswell_reward:mean5m{{{MODEL}}}", "mean reward", GREEN),
            unit="none",
            decimals=2,
            width=3,
        ),
        figure(
            "Policy version",
            "Interactions that the newest published policy has learned from.",
            Series(f"max(groundswell_policy_version{{{MODEL}}})", "version", PURPLE),
            unit="short",
            width=3,
        ),
        figure(
            "Policy age",
            "Since the newest policy was published.",
            Series(f"model:groundswell_policy_age:seconds{{{MODEL}}}", "age", ORANGE),
            unit="s",
            width=3,
        ),
        figure(
            "Alarms",
            "Alerts that are firing now, of all models and of the pipeline; docs/runbook.md says what to do.",
            Series('count(ALERTS{alertstate="firing"}) or vector(0)', "firing", VERMILLION),
            unit="none",
            decimals=0,
            width=3,
        ),
    ]


def _inferred() -> Panels:
    return [
        curves(
            "Reward states",
            "Shares of the inferred states over five minutes: as the policy improves, +1 grows and -1 shrinks.",
            [
                Series(f'model_state:groundswell_rewards:share5m{{{MODEL}, state="{state}"}}', name, colour)
                for state, (name, colour) in STATES.items()
            ],
            unit="percentunit",
            stacked=True,
            lowest=0,
            highest=1,
        ),
        curves(
            "Learned, by state",
            "Interactions per second, by inferred state.",
            [
                Series(f'model_state:groundswell_rewards:rate5m{{{MODEL}, state="{state}"}}', name, colour)
                for state, (name, colour) in STATES.items()
            ],
            unit="ops",
            stacked=True,
            lowest=0,
        ),
        bars_from_bad_to_good(
            "What each signal means",
            "Mean inferred state of the interactions with this signal, over five minutes: 1 always enjoyed, -1 "
            "always hated. A signal that changes sides has changed its meaning.",
            Series(f"model_signal:groundswell_meaning:mean5m{{{MODEL}}}", "{{signal}}"),
        ),
        curves(
            "Mean inferred reward, and what the policy is worth",
            "Per interaction, from -1 to 1. The worth is what the newest policy would earn without exploring, "
            "estimated from a sample of the last interactions (SNIPS).",
            [
                Series(f"model:groundswell_reward:mean5m{{{MODEL}}}", "mean reward, five minutes", GREEN),
                Series(
                    f'max(groundswell_policy_value{{{MODEL}, estimate="snips"}})', "worth of the policy", PURPLE, True
                ),
            ],
            unit="none",
            lowest=-1,
            highest=1,
        ),
    ]


def _by_segment() -> Panels:
    total = f"sum by (segment) (rate(groundswell_segment_signal_states_total{{{SEGMENT}}}[5m]))"
    return [
        curves(
            "Mean inferred reward, by segment",
            "From -1 to 1, over half an hour; from a hundred interactions on. Needs [segments.NAME].",
            [Series(f"model_segment:groundswell_reward:mean30m{{{SEGMENT}}}", "{{segment}}")],
            unit="none",
            lowest=-1,
            highest=1,
        ),
        curves(
            "Gap between the best and the worst served segment",
            "Of the mean inferred reward, over half an hour.",
            [Series(f"model:groundswell_reward_gap:max30m{{{MODEL}}}", "gap", ORANGE)],
            unit="none",
            lowest=0,
        ),
        curves(
            "Hated, by segment",
            "Share of the interactions of five minutes that were inferred to be -1.",
            [
                Series(
                    "(sum by (segment) (rate(groundswell_segment_signal_states_total"
                    f'{{{SEGMENT}, state="-1"}}[5m])) or 0 * {total}) / {total}',
                    "{{segment}}",
                )
            ],
            unit="percentunit",
            lowest=0,
        ),
        curves("Interactions, by segment", "Per second.", [Series(total, "{{segment}}")], unit="ops", lowest=0),
    ]
