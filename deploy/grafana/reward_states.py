"""The dashboard of reward states: what people are inferred to want, whether to believe it, whether it flows."""

from __future__ import annotations

from grafana_foundation_sdk.builders import bargauge, dashboard, stat, timeseries
from grafana_foundation_sdk.models.dashboard import DashboardCursorSync, VariableRefresh, VariableSort

from deploy.grafana.panels import (
    BLUE,
    GREEN,
    GREY,
    ORANGE,
    PURPLE,
    SKY,
    SOURCE,
    VERMILLION,
    YELLOW,
    Series,
    bars_from_bad_to_good,
    curves,
    figure,
)

Panels = list[timeseries.Panel | stat.Panel | bargauge.Panel]

STATES = {"1": ("+1 enjoyed", BLUE), "0": ("0 indifferent", GREY), "-1": ("-1 hated", VERMILLION)}
"""The three latent reward states of the papers."""

IMPRESSION_OUTCOMES = {
    "matched": ("with feedback", BLUE),
    "none": ("without feedback", GREY),
    "evicted": ("evicted", VERMILLION),
    "duplicate_impression": ("repeated", SKY),
    "conflicting_impression": ("repeated with other content", ORANGE),
}
FEEDBACK_OUTCOMES = {
    "feedback_matched": ("joined", BLUE),
    "duplicate_feedback": ("repeated", SKY),
    "late": ("late", ORANGE),
    "too_early": ("too early", YELLOW),
    "orphan": ("no such impression", VERMILLION),
    "misplaced_orphan": ("no such impression, on another partition than its key's", PURPLE),
}

SHARE = "percentunit"
PER_SECOND = "ops"
MODEL = 'model="$model"'


def reward_states() -> dashboard.Dashboard:
    """Return the dashboard, most important first."""
    board = (
        dashboard.Dashboard("Reward states")
        .uid("groundswell-reward-states")
        .description("What people did, decoded into what they wanted, by model.")
        .tags(["groundswell"])
        .editable()
        .tooltip(DashboardCursorSync.CROSSHAIR)
        .refresh("5s")
        .time("now-30m", "now")
        .timezone("browser")
        .with_variable(
            dashboard.QueryVariable("model")
            .label("Model")
            .datasource(SOURCE)
            .query("label_values(groundswell_rewards_total, model)")
            .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
            .sort(VariableSort.ALPHABETICAL_ASC)
        )
    )
    for title, panels in {
        "Now": _now(),
        "Inferred": _inferred(),
        "Believable?": _believable(),
        "Flow": _flow(),
    }.items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(panel)
    return board


def _now() -> Panels:
    shares = [
        figure(
            f"State {name}",
            "Share of the interactions of the last five minutes.",
            Series(f'model_state:groundswell_rewards:share5m{{{MODEL}, state="{state}"}}', name, colour),
            unit=SHARE,
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
        ),
        figure(
            "Policy version",
            "Interactions that the newest published policy has learned from.",
            Series(f"max(groundswell_policy_version{{{MODEL}}})", "version", PURPLE),
            unit="short",
        ),
        figure(
            "Policy age",
            "Since the newest policy was published.",
            Series(f"model:groundswell_policy_age:seconds{{{MODEL}}}", "age", ORANGE),
            unit="s",
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
            unit=SHARE,
            stacked=True,
            lowest=0,
            highest=1,
        ),
        curves(
            "Interactions learned",
            "Per second, by inferred state.",
            [
                Series(f'model_state:groundswell_rewards:rate5m{{{MODEL}, state="{state}"}}', name, colour)
                for state, (name, colour) in STATES.items()
            ],
            unit=PER_SECOND,
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
            "Mean inferred reward",
            "Per interaction, from -1 to 1, over five minutes.",
            [Series(f"model:groundswell_reward:mean5m{{{MODEL}}}", "mean reward", GREEN)],
            unit="none",
            lowest=-1,
            highest=1,
        ),
    ]


def _believable() -> Panels:
    return [
        curves(
            "Inverse kinematics: log loss",
            "Nats. Below the prior, feedback tells which action was shown; at the prior it tells nothing, and "
            "neither do the inferred rewards.",
            [
                Series(f"max(groundswell_ik_log_loss{{{MODEL}}})", "posterior", BLUE),
                Series(f"max(groundswell_ik_prior_log_loss{{{MODEL}}})", "action prior", GREY, dashed=True),
            ],
            unit="none",
            lowest=0,
        ),
        curves(
            "Inverse kinematics: accuracy",
            "How often the shown action is the most likely one given the feedback.",
            [
                Series(f"max(groundswell_ik_accuracy{{{MODEL}}})", "posterior", BLUE),
                Series(f"max(groundswell_ik_prior_accuracy{{{MODEL}}})", "action prior", GREY, dashed=True),
            ],
            unit=SHARE,
            lowest=0,
            highest=1,
        ),
        curves(
            "Extreme and definitely negative interactions",
            "Shares over five minutes. Extreme: the shown action's posterior is above the threshold. Without "
            "definitely negative ones, nothing tells bad from good.",
            [
                Series(f"model:groundswell_extreme:share5m{{{MODEL}}}", "extreme", BLUE),
                Series(
                    f"model:groundswell_definitely_negative:share5m{{{MODEL}}}",
                    "definitely negative",
                    VERMILLION,
                    dashed=True,
                ),
            ],
            unit=SHARE,
            lowest=0,
        ),
        curves(
            "Policies",
            "Published per second, over five minutes.",
            [Series(f"sum(rate(groundswell_policies_published_total{{{MODEL}}}[5m]))", "published", PURPLE)],
            unit=PER_SECOND,
            lowest=0,
        ),
    ]


def _flow() -> Panels:
    return [
        curves(
            "Impressions",
            "Per second, over all models: what the join made of them.",
            _outcomes(IMPRESSION_OUTCOMES),
            unit=PER_SECOND,
            lowest=0,
        ),
        curves(
            "Feedback",
            "Per second, over all models: what the join made of it.",
            _outcomes(FEEDBACK_OUTCOMES),
            unit=PER_SECOND,
            lowest=0,
        ),
        curves(
            "Dead letters",
            "Records per second that could not be used, by reason; they are kept on the dead-letter topic.",
            [Series("sum by (topic, reason) (rate(groundswell_dead_letters_total[5m]))", "{{topic}}: {{reason}}")],
            unit=PER_SECOND,
            lowest=0,
        ),
        curves(
            "Records not yet read",
            "How far the workers are behind, by topic.",
            [Series("sum by (topic) (groundswell_consumer_lag)", "{{topic}}")],
            unit="short",
            lowest=0,
        ),
        curves(
            "How old the newest result is",
            "Of the partition that is furthest behind. The join is always behind by its wait and grace.",
            [
                Series("time() - min(groundswell_watermark_timestamp_seconds)", "joined up to", BLUE),
                Series("time() - min(groundswell_checkpoint_timestamp_seconds)", "checkpoint", ORANGE, dashed=True),
            ],
            unit="s",
            lowest=0,
        ),
        curves(
            "Impressions waiting",
            "Pending in the join, over all partitions.",
            [Series("sum(groundswell_join_pending)", "waiting", SKY)],
            unit="short",
            lowest=0,
        ),
    ]


def _outcomes(outcomes: dict[str, tuple[str, str]]) -> list[Series]:
    return [
        Series(f'outcome:groundswell_join:rate5m{{outcome="{outcome}"}}', name, colour)
        for outcome, (name, colour) in outcomes.items()
    ]
