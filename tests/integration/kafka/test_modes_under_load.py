"""Modes are changed and older policies pinned on Apache Kafka while apps decide, and all of them are killed."""

from __future__ import annotations

import json
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest
from typer.testing import CliRunner

from experiments.chaos.audit import Audit, audit
from experiments.chaos.topic_contents import read_all as entries_of
from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.child_process import ChildProcess
from groundswell import Control, Policy, policy
from groundswell.client.decisions import DecidedImpression
from groundswell.controls import Side, side_of
from streams.inspection.control_command import control as control_command
from streams.settings import load_settings
from tests.integration.deciding_app import MODEL, OWN, PEOPLE, Acknowledged, Made
from tests.integration.serve.test_serve import RunningServer
from tests.integration.workers import CONFIGURATION, PATIENCE, TOPICS, Apps, RunningWorker, read_all, until, with_topics

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(1_200)]

# Long enough that what a restart of the broker holds up is seldom late by it.
SETTINGS = CONFIGURATION.replace("wait = 2.0\ngrace = 0.5", "wait = 4.0\ngrace = 3.0").replace(
    "publish_interactions = 500", "publish_interactions = 200"
)
APP = (sys.executable, "-m", "tests.integration.deciding_app")
LATELY = 2 * len(PEOPLE)
"""So many decisions of an app are for everybody."""
NOTED = msgspec.json.Decoder(Made | Acknowledged)


class App:
    """An app that is killed and comes back, and what it has noted so far."""

    def __init__(self, name: str, folder: Path, *where: str) -> None:
        self._name, self._folder = name, folder
        self._notes = folder / f"{name}.notes"
        self._notes.touch()
        first, *more = where
        self._command = (*APP, first, str(self._notes), *more)
        self._read = 0
        self.made: list[Made] = []
        self.acknowledged: set[str] = set()
        self._process: ChildProcess | None = None

    def start(self) -> None:
        self._process = ChildProcess(self._name, self._command, log=self._folder / f"{self._name}.log")

    def check(self) -> None:
        """Fail where it has ended by itself."""
        assert self._process is not None
        assert self._process.exit_code is None, f"{self._name} ended:\n{self._process.tail()}"

    def kill(self) -> None:
        self.check()
        self.end()

    def end(self) -> None:
        if self._process is not None:
            self._process.kill()

    def stop(self) -> None:
        """Let it write what waits, and end."""
        self.check()
        assert self._process is not None
        self._process.stop()
        assert self._process.exit_code == 0, self._process.tail()
        self.notice()

    def notice(self) -> None:
        """Read what has been noted since."""
        with self._notes.open("rb") as file:
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._read += len(line)
                noted = NOTED.decode(line)
                if isinstance(noted, Made):
                    self.made.append(noted)
                else:
                    self.acknowledged.add(noted.impression_id)


def decided_by(control: Control | None, made: Made) -> bool:
    """Say whether a decision is what this control asks for, by the policy that it asks for."""
    if not of_control(control, made):
        return False
    pinned = None if control is None else control.policy_version
    if control is None or control.mode == "online" or made.side == "canary":
        return made.basis in {"policy", "last_known"} and made.version is not None
    if pinned is not None:
        return (made.basis, made.version) == ("pinned", pinned)
    return fell_back(made)


def of_control(control: Control | None, made: Made) -> bool:
    """Say whether a decision was made under this control."""
    canary = None if control is None else control.canary
    side = None if canary is None else side_of(MODEL, canary, {"user": made.user})
    return (made.mode, made.side) == ("online" if control is None else control.mode, side)


def fell_back(made: Made) -> bool:
    """Say whether a decision says that no policy made it."""
    return made.version is None and made.basis in {"own", "uniform"}


class Step(NamedTuple):
    """A control, what is killed before it is set and comes back afterwards, and what is killed once it is set."""

    options: Sequence[str]
    before: Sequence[str] = ()
    after: Sequence[str] = ()


CANARY = ("canary", "--percent", "30", "--feature", "user")
STEPS = [
    Step(CANARY, before=["worker"]),
    Step([*CANARY, "--version", "OLDEST"], before=["keeping"]),
    Step(["frozen", "--version", "OLDEST"], before=["serve"], after=["plain"]),
    Step(["frozen"], after=["asking"]),
    Step(["log-only"], before=["broker"]),
    Step(["apprentice"], after=["worker", "serve"]),
    Step(["online"], after=["keeping"]),
]


class Ground:
    """Apache Kafka, a worker, a server and three apps."""

    def __init__(self, folder: Path, kafka: ApacheKafka, servers: str) -> None:
        self._kafka, self._servers = kafka, servers
        self.worker = RunningWorker(folder, servers, configuration=SETTINGS)
        self.server = RunningServer(folder, servers)
        self.apps = {
            "plain": App("plain", folder, servers),
            "keeping": App("keeping", folder, servers, str(folder / "kept.json")),
            "asking": App("asking", folder, f"http://127.0.0.1:{self.server.port}"),
        }
        self._mortals: dict[str, App | RunningWorker] = {"worker": self.worker, "serve": self.server, **self.apps}

    def kill(self, names: Sequence[str]) -> None:
        for name in names:
            if name == "broker":
                self._kafka.node().kill()
                self._kafka.start()
            else:
                self._mortals[name].kill()

    def start(self, names: Sequence[str]) -> None:
        for name in names:
            if name != "broker":
                self._mortals[name].start()

    def act_by(self, control: Control | None) -> None:
        """Wait until each app has lately decided for everybody as the control asks."""
        begins = {name: len(app.made) for name, app in self._noticed()}

        def all_do() -> bool:
            newest = [app.made[begins[name] :][-LATELY:] for name, app in self._noticed()]
            return all(len(made) == LATELY and all(decided_by(control, one) for one in made) for made in newest)

        until(all_do, f"all apps to act by {control}")

    def published(self) -> dict[int, Policy]:
        """Return every policy that there has been, by version."""
        records = read_all(self._servers, TOPICS.policies)
        assert [one.offset for one in records] == list(range(len(records))), "compaction has taken some away"
        return {one.version: Policy(one) for one in (policy.decode(record.value) for record in records)}

    def _noticed(self) -> Iterator[tuple[str, App]]:
        for name, app in self.apps.items():
            app.check()
            app.notice()
            yield name, app


def set_mode(options: Sequence[str], oldest: int) -> Control:
    """Set a control by the command; return it."""
    mode, *more = (str(oldest) if one == "OLDEST" else one for one in options)
    told = CliRunner().invoke(control_command, ["set", MODEL, "--mode", mode, "--by", "ann", "--why", "a test", *more])
    assert told.exit_code == 0, told.output
    shown = CliRunner().invoke(control_command, ["show", MODEL, "--json"])
    return msgspec.convert(json.loads(shown.output)["control"], Control)


def impressions_on(servers: str) -> list[DecidedImpression]:
    """Return what was logged, without the watermarks in between."""
    records = read_all(servers, TOPICS.impressions)
    return [msgspec.json.decode(one.value, type=DecidedImpression) for one in records if one.key is not None]


def by_no_policy(actions: int) -> list[list[float]]:
    """Return the probabilities of the apps' own rules, for so many actions, and those of chance."""
    own = {len(OWN): [OWN, [0.0, 1.0, 0.0]], len(OWN) - 1: [[1.0, 0.0]]}  # the latter in slots
    return [*own[actions], [1 / actions] * actions]


def all_learned(servers: str, folder: Path) -> Audit:
    """Close the logs, wait until all is learned, and return what the topics say."""
    settings = load_settings(folder / "worker.toml")
    last = max(one.occurred_at for one in impressions_on(servers))
    closes = last + round(1000 * (settings.join.wait + settings.join.grace))
    found: list[Audit] = []

    def clean() -> bool:
        now = round(1000 * time.time())
        if now <= closes:
            return False  # a watermark from the future is refused
        apps.end(now)
        found.append(audit(lambda topic: entries_of(servers, topic), settings))
        return found[-1].clean

    with closing(Apps(servers)) as apps:
        try:
            until(clean, "everything to be learned")
        except AssertionError:
            print(found[-1:])
            raise
    return found[-1]


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    with ApacheKafka(tmp_path / "kafka", patience=PATIENCE) as running:
        yield running


def test_modes_change_and_older_policies_are_pinned_while_all_are_killed(
    tmp_path: Path, kafka: ApacheKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = with_topics(kafka.bootstrap_servers)
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", servers)
    monkeypatch.setenv("GROUNDSWELL_SERVE__KEEP_FOLDER", str(tmp_path))
    ground = Ground(tmp_path, kafka, servers)
    history: list[Control | None] = [None]
    with ExitStack() as stack:
        for mortal in (ground.worker, ground.server):
            stack.enter_context(mortal)
        for app in ground.apps.values():
            app.start()
            stack.callback(app.end)
        ground.act_by(None)
        oldest = min(ground.published())
        for step in STEPS:
            ground.kill(step.before)
            history.append(set_mode(step.options, oldest))
            ground.kill(step.after)
            ground.start([*step.before, *step.after])
            ground.act_by(history[-1])
        for app in ground.apps.values():
            app.stop()
        assert ground.server.stop()[0] == 0
        learned = all_learned(servers, tmp_path)
    assert learned.learned_once == learned.impressions > 0
    published = ground.published()
    assert_decided_as_the_controls_say(ground, history, published)
    assert_logged_as_it_was_decided(servers, ground, history, published)


def assert_decided_as_the_controls_say(
    ground: Ground, history: Sequence[Control | None], published: Mapping[int, Policy]
) -> None:
    """Check what the apps know: who decided, and that nobody went back to an older control, by being killed either."""
    for name, app in ground.apps.items():
        reached = 0
        for one in app.made:
            if one.mode is None:  # before it was known whether there is a control
                assert fell_back(one), (name, one)
                continue
            assert one.version is None or one.version in published, (name, one)
            under = [number for number, control in enumerate(history) if of_control(control, one)]
            by = [number for number in under if decided_by(history[number], one)]
            assert by or (under and fell_back(one)), (name, one)
            if by:
                later = [number for number in by if number >= reached]
                assert later, f"{name} went back to an older control than number {reached}: {one}"
                reached = later[0]


def assert_logged_as_it_was_decided(
    servers: str, ground: Ground, history: Sequence[Control | None], published: Mapping[int, Policy]
) -> None:
    """Check what the log knows: by which policy, on which side; and that it has all that was acknowledged."""
    logged = impressions_on(servers)
    known = {one.impression_id: one for app in ground.apps.values() for one in app.made}
    sides: defaultdict[str, set[Side]] = defaultdict(set)
    for one in logged:
        made = known.get(one.impression_id)  # whoever is killed may not have noted it
        side, version = one.side, one.policy_version
        if made is not None:
            online = made.mode == "online"
            assert (None if online else made.mode, made.side, made.version) == (one.mode, side, version)
            assert made.action == one.actions[one.chosen].id
        if version is None:
            assert one.probabilities in by_no_policy(len(one.actions))
        else:
            assert one.probabilities == published[version].probabilities(one.context, one.actions)
        if side is not None:
            sides[str(one.context["user"])].add(side)
    assert {len(of_one) for of_one in sides.values()} == {1}, "somebody changed sides"
    assert len(sides) == len(PEOPLE)
    assert {side for of_one in sides.values() for side in of_one} == {"canary", "rest"}
    there = {one.impression_id for one in logged}
    for app in ground.apps.values():
        assert app.acknowledged
        assert app.acknowledged <= there
