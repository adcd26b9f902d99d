"""The dashboard of `groundswell serve`: what is asked, how soon it is answered, and by what is decided."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard

from deploy.grafana.boards import MODEL, PUBLICATIONS, RESTARTS, Panels, board
from deploy.grafana.panels import BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILLION, Series, curves


def serving() -> dashboard.Dashboard:
    """Return the dashboard, in the order in which a request is answered."""
    return board(
        "Serving",
        "What apps ask over HTTP, how soon it is answered, and by what is decided.",
        ["model"],
        [PUBLICATIONS, RESTARTS],
        {"Answers": _answers(), "Decisions": _decisions()},
    )


def _answers() -> Panels:
    return [
        curves(
            "Answers",
            "Per second, by HTTP status: 429 is more than may be, 503 is Kafka that does not acknowledge.",
            [Series("sum by (status) (rate(groundswell_serve_answers_total[5m]))", "{{status}}")],
            unit="ops",
            lowest=0,
            width=8,
        ),
        curves(
            "Time to answer: 99 %",
            "Of what is answered with 200; Kafka's acknowledgement is part of it, unless written later.",
            [
                Series(
                    "histogram_quantile(0.99, sum by (operation, le) (rate(groundswell_serve_seconds_bucket[5m])))",
                    "{{operation}}",
                )
            ],
            unit="s",
            lowest=0,
            width=8,
        ),
        curves(
            "Under way",
            "Requests that are being answered, most of which wait for Kafka, of the server that has most.",
            [Series("max(groundswell_serve_under_way)", "at most", BLUE)],
            unit="short",
            lowest=0,
            width=8,
        ),
    ]


def _decisions() -> Panels:
    return [
        curves(
            "Decided by",
            "Per second: the newest policy, the last one while Kafka does not answer, the one that a control names, "
            "the app's own rule, chance where there is none of them.",
            [
                Series(f'sum(rate(groundswell_serve_decisions_total{{{MODEL}, basis="{basis}"}}[5m]))', name, colour)
                for basis, name, colour in (
                    ("policy", "the newest policy", BLUE),
                    ("last_known", "the last one known", ORANGE),
                    ("pinned", "the one of a control", PURPLE),
                    ("own", "the app's own rule", GREEN),
                    ("uniform", "chance", GREY),
                )
            ],
            unit="ops",
            lowest=0,
            width=8,
        ),
        curves(
            "Policies",
            "Interactions included in the newest policy that has come, of the servers furthest ahead and behind.",
            [
                Series(f"max(groundswell_serve_policy_version{{{MODEL}}})", "newest", BLUE),
                Series(f"min(groundswell_serve_policy_version{{{MODEL}}})", "oldest", GREY, dashed=True),
            ],
            unit="short",
            lowest=0,
            width=8,
        ),
        curves(
            "Messages",
            "Impressions and feedback per second. Those not written before the answer got 503; those not written later "
            "are lost.",
            [
                Series(
                    f'sum(rate(groundswell_serve_messages_total{{write="{write}", outcome="{outcome}"}}[5m]))',
                    name,
                    colour,
                )
                for write, outcome, name, colour in (
                    ("acknowledged", "written", "written before the answer", BLUE),
                    ("later", "written", "written later", SKY),
                    ("acknowledged", "failed", "not acknowledged", ORANGE),
                    ("later", "failed", "lost", VERMILLION),
                )
            ],
            unit="ops",
            lowest=0,
            width=8,
        ),
    ]
