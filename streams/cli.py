"""The command line: `groundswell …`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from rich.console import Console
from rich.markup import escape

from experiments.people.simulated_apps import simulate
from streams.observing.logs import set_up_logs
from streams.settings import Settings, load_settings

cli = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,
    help="Infers what people meant from what they did, and learns a policy from it.",
)
topics_cli = typer.Typer(no_args_is_help=True, help="Make and check the topics.")
cli.add_typer(topics_cli, name="topics")
bench_cli = typer.Typer(no_args_is_help=True)
cli.add_typer(bench_cli, name="bench")
cli.command()(simulate)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", envvar="GROUNDSWELL_CONFIG", help="TOML file with the settings.")
]
Runs = Annotated[int, typer.Option(min=1, help="Of which the medians count.")]
Profile = Annotated[bool, typer.Option(help="Write where our time goes: folded stacks.")]
console = Console()


def main() -> None:
    """Run the command line."""
    cli()


@cli.command()
def worker(config: ConfigOption = None) -> None:
    """Join, learn and publish until stopped."""
    from processors.learners.stock_models import EstimatorError  # noqa: PLC0415
    from streams.app import run_worker  # noqa: PLC0415  # Faust and numba take a second: only where they are used
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.kafka.topics import TopicError  # noqa: PLC0415

    settings = _settings(config)
    if not settings.models:
        _fail('no model is configured: add a section [models.NAME] with definitely_negative = ["…"]')
    try:
        run_worker(settings)
    except (EstimatorError, SecurityError, TopicError) as error:
        _fail(str(error))


@topics_cli.command("create")
def topics_create(config: ConfigOption = None) -> None:
    """Make the topics that are missing, and check the partition counts of all."""
    from streams.kafka.security import SecurityError  # noqa: PLC0415
    from streams.kafka.topics import TopicError, create_topics  # noqa: PLC0415

    settings = _settings(config)
    try:
        made = create_topics(settings.kafka, settings.topics)
    except (SecurityError, TopicError) as error:
        _fail(str(error))
    console.print(f"made {', '.join(made)}" if made else "all topics are there")


@cli.command()
def doctor(
    config: ConfigOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="For scripts: one object on one line.")] = False,
) -> None:
    """Look at Kafka and what lies on it: what keeps groundswell from working? Exits 1 if anything does."""
    from streams.doctor.examination import examine  # noqa: PLC0415
    from streams.doctor.findings import in_json, in_words, is_well  # noqa: PLC0415

    found = []
    for finding in examine(_settings(config)):
        found.append(finding)
        if not as_json:
            console.print(in_words(finding), highlight=False, soft_wrap=True)
    if as_json:
        typer.echo(in_json(found))
    raise typer.Exit(0 if is_well(found) else 1)


@cli.command()
def replay(
    path: Annotated[Path, typer.Argument(help="CSV, TSV, JSON lines (also .gz, .zst) or Parquet.", exists=True)],
    mapping: Annotated[Path, typer.Option(help="What each column means: a TOML file.", exists=True)],
    speed: Annotated[str, typer.Option(help="A multiple of real time, or max.")] = "max",
    limit: Annotated[int | None, typer.Option(min=1, help="Only the first rows.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Read everything and send nothing.")] = False,
    config: ConfigOption = None,
) -> None:
    """Produce a log as impressions and feedback, as if it happened again."""
    from streams.kafka.access_check import check_connection  # noqa: PLC0415
    from streams.kafka.acknowledged_producer import SendError  # noqa: PLC0415
    from streams.kafka.security import SecurityError, security_arguments  # noqa: PLC0415
    from streams.replay.examination import ReplayError  # noqa: PLC0415
    from streams.replay.mapping import MappingError  # noqa: PLC0415
    from streams.replay.mapping_file import load_mapping  # noqa: PLC0415
    from streams.replay.replay import replay as run_replay  # noqa: PLC0415
    from streams.replay.standards import Standards  # noqa: PLC0415

    settings = _settings(config)
    join = settings.join
    try:
        if not check:
            check_connection(settings.kafka)
        summary = run_replay(
            path,
            load_mapping(mapping),
            bootstrap_servers=settings.kafka.bootstrap_servers,
            impressions_topic=settings.topics.impressions,
            feedback_topic=settings.topics.feedback,
            speed=None if speed == "max" else float(speed),
            limit=limit,
            console=console,
            standards=Standards.of(settings, configured=not check),
            check=check,
            watermark_margin_ms=round((join.wait + join.grace + join.backward) * 1000) + 1,
            security=security_arguments(settings.kafka),
        )
    except (MappingError, ReplayError, SecurityError, SendError, ValueError) as error:
        _fail(str(error))
    for line in summary.in_words():
        console.print(line, highlight=False, markup=False, soft_wrap=True)


@cli.command()
def demo(
    interactions: Annotated[int, typer.Option(min=1, help="Impressions to simulate.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of the simulated people.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for summary.json and report.html.")] = Path("out/demo"),
    serve: Annotated[bool, typer.Option(help="Keep people coming until Ctrl-C.")] = False,
) -> None:
    """Watch the whole loop: simulated apps, broker, worker, policies back to the apps, and an audit."""
    from experiments.demo.run import run_demo  # noqa: PLC0415

    raise typer.Exit(run_demo(interactions, seed, out, serve=serve, console=console))


@cli.command()
def chaos(
    kills: Annotated[int, typer.Option(min=0, help="How often a worker is killed with SIGKILL.")] = 10,
    seed: Annotated[int, typer.Option(help="Of what flows, and of what dies when.")] = 0,
    impressions: Annotated[int, typer.Option(min=100, help="How many flow.")] = 100_000,
    out: Annotated[Path, typer.Option(help="Folder for results.json, the logs and the broker.")] = Path("out/chaos"),
    plant: Annotated[str | None, typer.Option(help="A fault for the audit to find.", hidden=True)] = None,
) -> None:
    """Kill workers and a real Apache Kafka while impressions flow; was anything lost or learned twice?"""
    from experiments.chaos.run import run_chaos  # noqa: PLC0415
    from experiments.servers.child_process import stopped_like_ctrl_c  # noqa: PLC0415
    from experiments.servers.kafka_distribution import KafkaUnavailableError  # noqa: PLC0415

    try:
        with stopped_like_ctrl_c():
            raise typer.Exit(run_chaos(kills, seed, impressions, out, plant=plant, console=console))
    except KafkaUnavailableError as error:
        _fail(str(error))


@cli.command()
def evaluate(
    name: Annotated[str, typer.Argument(help="An experiment; an unknown name lists them.")],
    seeds: Annotated[int, typer.Option(min=1, help="How many.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="The first of them: anybody's choice.")] = 0,
    out: Annotated[Path | None, typer.Option(help="Folder for the results; default out/NAME.")] = None,
) -> None:
    """Run one of the papers' experiments, and say which bars were met."""
    from experiments.papers.evaluate import EXPERIMENTS, evaluate  # noqa: PLC0415

    if name not in (*EXPERIMENTS, "all"):
        _fail(f"no experiment {name!r}; there are {', '.join(EXPERIMENTS)}, and all")
    raise typer.Exit(evaluate(name, seeds, seed, out or Path("out") / name))


@bench_cli.callback()
def bench(context: typer.Context) -> None:
    """Measure against peers, side by side in one run."""
    from experiments.servers.child_process import stopped_like_ctrl_c  # noqa: PLC0415

    context.with_resource(stopped_like_ctrl_c())


@bench_cli.command("learner")
def bench_learner(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-learner"),
) -> None:
    """Learn the same interactions with ours and with VowpalWabbit (extra "bench")."""
    from experiments.bench.learner import bench_learner as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out))


@bench_cli.command("join")
def bench_join(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-join"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many.")] = 200_000,
    runs: Runs = 3,
    profile: Profile = False,
) -> None:
    """Join as fast as one core can, beside Faust, Quix Streams and raw confluent-kafka (extra "bench", Java 17)."""
    from experiments.bench.join import bench_join as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, impressions, runs, profile=profile))


@bench_cli.command("pipeline")
def bench_pipeline(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-pipeline"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many.")] = 100_000,
    runs: Runs = 3,
    profile: Profile = False,
) -> None:
    """Join, learn and publish as fast as one core can, beside the join on raw confluent-kafka (extra "bench")."""
    from experiments.bench.pipeline import bench_pipeline as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, impressions, runs, profile=profile))


@bench_cli.command("scale")
def bench_scale(
    out: Annotated[Path, typer.Option(help="Folder for results.json and the logs.")] = Path("out/bench-scale"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many at each size and run.")] = 60_000,
    runs: Runs = 3,
    users: Annotated[int, typer.Option(min=2_000, help="The most users.")] = 10_000_000,
    pending: Annotated[int, typer.Option(min=1_000, help="The most impressions that wait.")] = 1_000_000,
    kafka: Annotated[bool, typer.Option(help="Measure two workers on a real Apache Kafka, too.")] = True,
) -> None:
    """Measure what users, impressions that wait and a second worker add to the cost (extra "bench", Java 17)."""
    from experiments.bench.scale import bench_scale as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, impressions, runs, users=users, pending=pending, kafka=kafka))


@bench_cli.command("latency")
def bench_latency(
    out: Annotated[Path, typer.Option(help="Folder for results.json and the logs.")] = Path("out/bench-latency"),
    impressions: Annotated[int, typer.Option(min=4_000, help="To find the maximal rate with.")] = 60_000,
    runs: Runs = 3,
    seconds: Annotated[float, typer.Option(min=1, help="That each lasts.")] = 30.0,
    rate: Annotated[float | None, typer.Option(min=1, help="Impressions a second; default half the maximal.")] = None,
) -> None:
    """Measure how soon rewards and policies are there at half the maximal load (extra "bench", Java 17)."""
    from experiments.bench.latency import bench_latency as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, impressions, runs, seconds, rate))


@bench_cli.command("soak")
def bench_soak(
    out: Annotated[Path, typer.Option(help="Folder for results.json.")] = Path("out/bench-soak"),
    a_day: Annotated[int, typer.Option(min=1_000, help="Impressions a simulated day.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Of what people do.")] = 0,
) -> None:
    """Let a month of comings and goings pass on a fast clock: does memory grow?"""
    from experiments.bench.soak import bench_soak as run_bench  # noqa: PLC0415

    raise typer.Exit(run_bench(out, a_day, seed))


@bench_cli.command("pending")
def bench_pending(
    out: Annotated[Path, typer.Option(help="Folder for pending.json.")] = Path("out/bench-pending"),
    impressions: Annotated[int, typer.Option(min=4_000, help="How many wait.")] = 1_000_000,
    real: Annotated[
        bool, typer.Option("--kafka", help="In a worker on a real Apache Kafka, killed meanwhile.")
    ] = False,
    spill: Annotated[bool, typer.Option(help="With --kafka: their payloads in files.")] = False,
) -> None:
    """Measure the memory of impressions that wait, and the time to restore them."""
    from experiments.bench.pending import bench_pending as run_bench  # noqa: PLC0415
    from experiments.bench.restart import bench_restart  # noqa: PLC0415

    raise typer.Exit(bench_restart(out, impressions, spill=spill) if real else run_bench(out, impressions))


@cli.command()
def kafka(
    directory: Annotated[Path, typer.Option(help="Where the data lies; an existing one carries on.")],
    brokers: Annotated[int, typer.Option(help="1 or 3")] = 1,
) -> None:
    """Run a real Apache Kafka in the foreground, without Docker (needs Java 17 and Maven)."""
    from experiments.servers.apache_kafka import run  # noqa: PLC0415

    run(directory, brokers)


def _settings(config: Path | None) -> Settings:
    set_up_logs("WARNING", "auto", "stderr")
    try:
        return load_settings(config)
    except (ValidationError, SettingsError, FileNotFoundError) as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    # Messages speak of [sections], which are not markup; broken lines could not be searched for.
    Console(stderr=True).print(f"[bold red]groundswell:[/] {escape(message)}", highlight=False, soft_wrap=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    main()
