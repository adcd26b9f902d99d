"""`groundswell simulate`."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from streams.command_line import fail, load_or_fail

if TYPE_CHECKING:
    from experiments.people.simulated_apps import SimulatedApps

USERS = 5
ACTIONS = 11
MODEL = "three-state"
FAULTS = "Faults, for alarms to find"


def simulate(
    *,
    bootstrap_servers: Annotated[str, typer.Option(envvar="KAFKA_BOOTSTRAP_SERVERS", help="host:port,…")],
    interactions: Annotated[int | None, typer.Option(min=1, help="End after so many; default: never.")] = None,
    seed: Annotated[int, typer.Option(help="Of the people, their answers and the mishaps.")] = 0,
    rate: Annotated[float, typer.Option(min=0.1, help="Impressions per second.")] = 400.0,
    model: Annotated[str, typer.Option(help="The model that impressions name.")] = MODEL,
    wait: Annotated[float, typer.Option(min=0.1, help="The join's wait for feedback, seconds.")] = 1.0,
    grace: Annotated[float, typer.Option(min=0.0, help="The join's grace for disorder, seconds.")] = 0.5,
    impressions_topic: Annotated[str, typer.Option()] = "impressions",
    feedback_topic: Annotated[str, typer.Option()] = "feedback",
    policies_topic: Annotated[str, typer.Option()] = "policies",
    controls_topic: Annotated[str, typer.Option()] = "controls",
    serve_url: Annotated[
        str | None,
        typer.Option(help="Ask `groundswell serve` here (http://host:port), instead of deciding in this process."),
    ] = None,
    p_dislike: Annotated[float, typer.Option(min=0, max=1, help="How often what is hated is disliked.")] = 0.2,
    enjoyed: Annotated[int, typer.Option(min=1, help="Actions that each of the people enjoys.")] = 1,
    hated: Annotated[int, typer.Option(min=1, help="Actions that each of them hates.")] = 1,
    autoplaying: Annotated[
        int,
        typer.Option(
            min=0, max=ACTIONS, help="Actions of which half of the impressions bring `autoplay` by themselves."
        ),
    ] = 0,
    platforms: Annotated[
        int, typer.Option(min=1, max=USERS, help="By how many people come; more than one is in the context.")
    ] = 1,
    sarcastic: Annotated[
        float, typer.Option(min=0, max=1, help="Share of users whose like means hate.", rich_help_panel=FAULTS)
    ] = 0.0,
    uniform_propensities: Annotated[
        bool, typer.Option("--uniform-propensities", help="1/K is logged.", rich_help_panel=FAULTS)
    ] = False,
    no_dislike_button: Annotated[
        bool, typer.Option("--no-dislike-button", help="Every dislike becomes a skip.", rich_help_panel=FAULTS)
    ] = False,
    feedback_delay: Annotated[
        float, typer.Option(min=0, help="Further delay of all feedback, seconds.", rich_help_panel=FAULTS)
    ] = 0.0,
    fault_after: Annotated[
        int, typer.Option(min=0, help="Impressions before the faults begin.", rich_help_panel=FAULTS)
    ] = 0,
    end_of_input: Annotated[
        bool, typer.Option("--end-of-input", help="Close every partition at the end; for a sole producer.")
    ] = False,
    truth: Annotated[Path | None, typer.Option(help="Write what only the simulator knows here.")] = None,
) -> None:
    """Run the simulated apps against a broker until they have made their number, or are stopped."""
    from experiments.people.app_faults import Faults  # noqa: PLC0415
    from experiments.people.app_sessions import AppSessions, Decide  # noqa: PLC0415
    from experiments.people.asking_apps import AskingApps  # noqa: PLC0415
    from experiments.people.simulated_apps import AppLog, SimulatedApps  # noqa: PLC0415
    from experiments.people.three_state import ThreeStateUsers  # noqa: PLC0415
    from experiments.people.truth_log import TruthWriter  # noqa: PLC0415
    from groundswell.client import EventLog, Policies  # noqa: PLC0415
    from streams.kafka.access_check import check_connection  # noqa: PLC0415
    from streams.kafka.acknowledged_producer import AcknowledgedProducer  # noqa: PLC0415
    from streams.kafka.security import SecurityError, security_arguments  # noqa: PLC0415
    from streams.kafka.topic_inspector import TopicInspector  # noqa: PLC0415
    from streams.kafka.topics import TopicError  # noqa: PLC0415
    from streams.kafka.watermarks import mark  # noqa: PLC0415

    def end_input(closed_at: int) -> None:
        # No app's doing: it is the right of whoever knows that nothing follows.
        with AcknowledgedProducer(bootstrap_servers, security=security) as producer:
            topics = impressions_topic, feedback_topic
            mark(producer, {topic: producer.partitions(topic) for topic in topics}, closed_at)

    if enjoyed + hated >= ACTIONS:
        fail(f"--enjoyed {enjoyed} and --hated {hated}: of {ACTIONS} actions one has to be left to be indifferent to")
    if serve_url is not None and uniform_propensities:
        fail("--uniform-propensities and --serve-url: over HTTP the server logs what it decided by, and not the apps")
    kafka = load_or_fail(None).kafka.model_copy(update={"bootstrap_servers": bootstrap_servers})
    try:
        check_connection(kafka)
        security = security_arguments(kafka)
        with TopicInspector(kafka) as logs:
            logs.require(impressions_topic, feedback_topic, policies_topic)
    except (SecurityError, TopicError) as error:
        fail(str(error))
    wait_ms, grace_ms = round(wait * 1000), round(grace * 1000)
    sessions = AppSessions(
        ThreeStateUsers(USERS, ACTIONS, p_dislike, seed, enjoyed=enjoyed, hated=hated),
        run=f"{seed}-{time.time_ns() // 1_000_000}",
        seed=seed,
        wait=wait_ms,
        grace=grace_ms,
        faults=Faults(
            sarcastic=sarcastic,
            uniform_propensities=uniform_propensities,
            no_dislike_button=no_dislike_button,
            feedback_delay=round(feedback_delay * 1000),
            after=fault_after,
        ),
        platforms=platforms,
        autoplaying=autoplaying,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with ExitStack() as stack:
        policies = stack.enter_context(
            Policies(bootstrap_servers, model, topic=policies_topic, controls=controls_topic, **security)
        )
        log: AppLog
        if serve_url is None:
            decide: Decide = policies.decide
            at_once = None
            # Small batches are what costs brokers and consumers: what occurs within 50 ms goes together.
            log = stack.enter_context(
                EventLog(
                    bootstrap_servers, impressions=impressions_topic, feedback=feedback_topic, linger_ms=50, **security
                )
            )
        else:
            try:
                log = asking = stack.enter_context(AskingApps(serve_url, model, seed))
            except ValueError as error:
                fail(str(error))
            decide, at_once = asking.decide, asking.at_once
        run_in_words(
            SimulatedApps(
                sessions=sessions,
                decide=decide,
                log=log,
                newest_policy=lambda: policies.policy,
                truth=stack.enter_context(TruthWriter(truth)),
                rate=rate,
                interactions=interactions,
                closing=wait_ms + grace_ms,
                end_input=end_input if end_of_input else None,
                at_once=at_once,
                pause=stop.wait,
            )
        )


def run_in_words(apps: SimulatedApps) -> None:
    """Run the apps; where something was not written, end and say what."""
    from experiments.people.simulated_apps import UnwrittenError  # noqa: PLC0415

    try:
        apps.run()
    except UnwrittenError as error:
        fail(str(error), 1)
