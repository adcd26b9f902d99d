"""The whole loop in one command: simulated apps, Kafka, the worker, policies back to the apps, and an audit.

The people are simulated, everything else is what runs in production. Only the simulator knows what they feel;
the demo compares that with what the worker infers.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
from rich.console import Console

from experiments.demo.account import found, headline, summary_table
from experiments.demo.audit import Audit
from experiments.demo.cluster import Cluster, DemoError, running_cluster
from experiments.demo.findings import LeakFigure, signal_figures, unknown_states
from experiments.demo.report import write_report
from experiments.demo.result import WARM_UP, DemoResult, Summary, state_rates
from experiments.demo.screen import Display, View, display_for
from experiments.demo.watch import DemoWatch
from experiments.people.command import MODEL
from experiments.people.true_value import greedy_value, policy_value, shown
from experiments.servers.child_process import ChildProcess, stopped_like_ctrl_c
from experiments.servers.patience import Patience
from groundswell.policy import Policy

UPDATE_SECONDS = 0.15
STALL_SECONDS = 30.0
"""The demo gives up when nothing at all has arrived for so long, while its processes had the machine."""
STALLED = (
    f"nothing has arrived for {STALL_SECONDS:.0f} s in which the machine was free for it. See what the log below says; "
    "if nothing, try again with less beside it, or with fewer --interactions"
)
SETTLE_SECONDS = 0.5
"""When everything has arrived, whatever should not have come as well gets so long to show itself."""
INTERRUPTED = 130
ENJOYED, HATED, AUTOPLAYING = 3, 3, 2
"""Of the actions: what each of the people is satisfied and dissatisfied by, and what plays by itself."""


def run_demo(
    interactions: int = 20_000,
    seed: int = 0,
    out: Path = Path("out/demo"),
    *,
    serve: bool = False,
    serve_http: bool = False,
    rate: float = 400.0,
    console: Console | None = None,
) -> int:
    """Run the demo and return its exit status: 0 if everything arrived once, 1 if not, 130 if interrupted.

    Writes `summary.json`, `report.html` and the logs of worker and apps to `out`. With `serve`, the loop then
    goes on with an endless stream of people until Ctrl-C. With `serve_http`, the apps ask a server over HTTP, and
    hold no Kafka client.
    """
    console = console or Console()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with stopped_like_ctrl_c(), tempfile.TemporaryDirectory(prefix="groundswell-demo-") as directory:
            demo = _Demo(
                interactions=interactions,
                seed=seed,
                out=out,
                serve_http=serve_http,
                rate=rate,
                console=console,
                directory=Path(directory),
            )
            return demo.run(serve)
    except DemoError as error:
        console.print(f"The demo failed: {error}", markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Stopped.")
        return INTERRUPTED


@dataclass(frozen=True, kw_only=True)
class _Demo:
    """One run of the demo, with its files in `directory` while it lasts."""

    interactions: int
    seed: int
    out: Path
    serve_http: bool
    rate: float
    console: Console
    directory: Path

    def run(self, serve: bool) -> int:
        """Run it to its end."""
        started = time.monotonic()
        self.console.print(f"Starting broker{', server' if self.serve_http else ''} and worker …")
        server_log = self.out / "server.log" if self.serve_http else None
        with running_cluster(self.directory, self.out / "worker.log", server_log=server_log) as cluster:
            audit = Audit()
            view = View(target=self.interactions)
            truth = self.directory / "truth.jsonl"
            with (
                DemoWatch(cluster, MODEL, truth, view, audit) as watch,
                self._apps(cluster, truth, "--interactions", str(self.interactions), "--end-of-input") as apps,
                display_for(self.console) as display,
            ):
                missing = _follow(watch, apps, cluster, display)
            if missing and watch.snapshot is None:
                raise _failure(STALLED, missing, cluster.worker)
            result = self._result(watch, audit, time.monotonic() - started)
            self._write(result)
            if missing:
                raise _failure(STALLED, missing, cluster.worker)
            if serve:
                assert watch.finished is not None, "nothing is missing, so the apps have finished"
                self._serve(cluster, watch.finished.closed_at)
        return 0 if result.summary.sound else 1

    @contextmanager
    def _apps(self, cluster: Cluster, truth: Path, *options: str) -> Iterator[ChildProcess]:
        """Start the simulated apps in a process of their own."""
        settings = cluster.settings
        command = [
            sys.executable, "-m", "streams.cli", "simulate",
            "--bootstrap-servers", cluster.bootstrap_servers,
            "--seed", str(self.seed), "--rate", str(self.rate),
            "--enjoyed", str(ENJOYED), "--hated", str(HATED), "--autoplaying", str(AUTOPLAYING),
            "--wait", str(settings.join.wait), "--grace", str(settings.join.grace),
            "--impressions-topic", settings.topics.impressions,
            "--feedback-topic", settings.topics.feedback,
            "--policies-topic", settings.topics.policies,
            "--controls-topic", settings.topics.controls,
            "--truth", str(truth), *options,
        ]  # fmt: skip
        if cluster.server_url is not None:
            command += ["--serve-url", cluster.server_url]
        with ChildProcess("simulated apps", command, log=self.out / "apps.log") as apps:
            yield apps

    def _result(self, watch: DemoWatch, audit: Audit, seconds: float) -> DemoResult:
        assert watch.snapshot is not None, "every interaction is in a policy, so there is one"
        policy = Policy(watch.snapshot)
        states = watch.states
        users, actions, inferred = audit.users(), audit.actions(), audit.inferred()
        truths = states[users, actions]
        warm = slice(len(inferred) // WARM_UP, None)
        summary = Summary(
            interactions=self.interactions,
            seed=self.seed,
            **audit.counts(),
            greedy_value=greedy_value(policy, states),
            policy_value=policy_value(policy, states),
            state_accuracy=float(np.mean(inferred[warm] == truths[warm])),
            reward_state_rates=state_rates(inferred[warm]),
            true_state_rates=state_rates(truths[warm]),
            unknown=unknown_states(audit.judged),
            signal_worth=signal_figures(watch.worth, audit.judged, truths),
            leaking_signals=[
                LeakFigure(signal=name, share=share, left_out=left_out, found_after=watch.found_after[name])
                for name, (share, left_out) in watch.view.leaking.items()
            ],
            policies_published=watch.view.policies_published,
            policy_version=watch.snapshot.version,
            seconds=round(seconds, 1),
        )
        return DemoResult(
            summary=summary,
            judged=audit.judged,
            users=users,
            truths=truths,
            inferred=inferred,
            states=states,
            probabilities=shown(policy.probabilities, states),
            policies=watch.published,
        )

    def _write(self, result: DemoResult) -> None:
        summary = result.summary
        path = self.out / "summary.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(summary), indent=2) + b"\n")
        report = self.out / "report.html"
        over_http = " --serve-http" if self.serve_http else ""
        write_report(
            result, report, f"groundswell demo --interactions {self.interactions} --seed {self.seed}{over_http}"
        )
        self.console.print(summary_table(summary))
        lines = [*found(summary), f"Report:  {report}", f"Summary: {path}"]
        self.console.print("\n".join(lines), markup=False, highlight=False, soft_wrap=True)
        self.console.print(headline(summary), style="bold", highlight=False, soft_wrap=True)

    def _serve(self, cluster: Cluster, closed_at: int) -> None:
        """Go on with an endless stream of people until Ctrl-C."""
        time.sleep(max(0.0, closed_at / 1000 - time.time()))  # nothing may occur before what was promised
        view = View(target=None, activity="serving, Ctrl-C ends it")
        truth = self.directory / "truth-serving.jsonl"
        lines = [
            f"Page:    {cluster.page}/",
            f"Metrics: {cluster.page}/metrics",
            f"Broker:  {cluster.bootstrap_servers}, for other commands: {cluster.for_others}",
        ]
        if cluster.server_url is not None:
            lines.append(f"Server:  {cluster.server_url}")
        self.console.print("\n".join(lines), highlight=False, markup=False, soft_wrap=True)
        try:
            with (
                DemoWatch(cluster, MODEL, truth, view, None) as watch,
                self._apps(cluster, truth) as apps,
                display_for(self.console) as display,
            ):
                while True:
                    watch.update()
                    time.sleep(UPDATE_SECONDS)
                    display.show(view)
                    for process in (*cluster.processes, apps):
                        if process.exit_code is not None:
                            raise _failure(f"the {process.name} has ended with {process.exit_code}", [], process)
        except KeyboardInterrupt:
            self.console.print("Stopping …")


def _follow(watch: DemoWatch, apps: ChildProcess, cluster: Cluster, display: Display) -> list[str]:
    """Show the run until everything has arrived, or nothing comes any more; return what is missing then.

    Raises `DemoError` if the worker or the apps break down.
    """
    view = watch.view
    patience = Patience(STALL_SECONDS, [*cluster.pids, apps.pid])
    while missing := watch.missing():
        if patience.is_at_an_end((view.produced, view.learned, view.policies_published, watch.records)):
            return missing
        time.sleep(UPDATE_SECONDS)
        watch.update()
        view.activity = "running" if watch.finished is None else "learning the rest"
        display.show(view)
        for process in cluster.processes:
            if process.exit_code is not None:
                raise _failure(f"the {process.name} has ended with {process.exit_code}", missing, process)
        if apps.exit_code not in {None, 0}:
            raise _failure(f"the simulated apps have ended with {apps.exit_code}", missing, apps)
    time.sleep(SETTLE_SECONDS)
    watch.update()
    return []


def _failure(what: str, missing: list[str], process: ChildProcess) -> DemoError:
    return DemoError(
        "\n".join([what, *missing, f"the end of the log of the {process.name} ({process.log}):", process.tail()])
    )
