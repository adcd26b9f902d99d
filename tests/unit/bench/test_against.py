"""An older build beside this one: how pairs are taken and told, and what a build to be measured has to be."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.bench import against
from experiments.bench.against import (
    Spread,
    against_learner,
    concluded,
    in_pairs,
    learned_by,
    spread,
    write_interactions,
)
from experiments.bench.learner_driver import LayoutError, find
from experiments.bench.older_build import PROJECT, WORKERS, Build, BuildError, older_build, run_logged, this_build
from experiments.bench.race import Measured
from groundswell.events import Interaction

RATES = st.floats(1, 1e6)
OLD = Build("older build", Path("python"), "", {}, {"packages": "there"})


@pytest.mark.parametrize(
    ("rates", "found"),
    [
        pytest.param([(10, 10)], Spread(1, 1, 1, 1, 1), id="one pair is all there is to know"),
        pytest.param([(10, 20), (10, 20)], Spread(2, 2, 2, 2, 2), id="twice as fast"),
        pytest.param(
            [(10, 10), (10, 20), (10, 30), (10, 40), (10, 50)], Spread(3, 2, 4, 1, 5), id="quartiles lie between pairs"
        ),
        pytest.param(
            [(100, 110), (10, 11), (1, 1.1)],
            Spread(1.1, 1.1, 1.1, 1.1, 1.1),
            id="what slows both of a pair is no matter",
        ),
        pytest.param([(10, 10), (10, 10), (10, 1)], Spread(1, 0.55, 1, 0.1, 1), id="one bad run moves no median"),
    ],
)
def test_ratios_are_of_the_new_to_the_old_within_a_pair(rates: list[tuple[float, float]], found: Spread) -> None:
    assert vars(spread(rates)) == pytest.approx(vars(found))


@given(pairs=st.lists(st.tuples(RATES, RATES), min_size=1, max_size=20), data=st.data())
def test_neither_the_order_of_pairs_nor_what_slows_both_of_one_changes_the_spread(
    pairs: list[tuple[float, float]], data: st.DataObject
) -> None:
    slowed = [(old * by, new * by) for (old, new), by in zip(pairs, data.draw(st.lists(
        st.floats(0.1, 10), min_size=len(pairs), max_size=len(pairs))), strict=True)]  # fmt: skip
    found = spread(pairs)
    assert vars(spread(data.draw(st.permutations(slowed)))) == pytest.approx(vars(found))
    assert found.min <= found.q1 <= found.ratio <= found.q3 <= found.max


@given(pairs=st.lists(st.tuples(RATES, RATES), min_size=1, max_size=20))
def test_the_least_of_one_way_round_is_the_greatest_of_the_other(pairs: list[tuple[float, float]]) -> None:
    assert spread([(new, old) for old, new in pairs]).min == pytest.approx(1 / spread(pairs).max)


def test_both_of_a_pair_follow_one_another_and_the_order_alternates() -> None:
    ran: list[str] = []

    def run(name: str) -> str:
        ran.append(name)
        return name

    assert in_pairs(3, lambda: run("old"), lambda: run("new")) == [("old", "new")] * 3
    assert ran == ["old", "new", "new", "old", "old", "new"]


@pytest.mark.parametrize(("least", "status"), [(0.5, 0), (0.51, 1)])
def test_the_bar_goes_by_cpu_time_and_decides_the_exit_status(tmp_path: Path, least: float, status: int) -> None:
    pairs = [(Measured(100, wall=1, cpu=1), Measured(100, wall=10, cpu=2))]
    assert concluded(tmp_path, {"join": pairs}, OLD, least, "join") == status
    written = json.loads((tmp_path / "results.json").read_text())
    assert {name: row["ratio"] for name, row in written["contenders"].items()} == {
        "join, CPU time": 0.5,
        "join, wall time": 0.1,
    }
    assert written["bars"][0]["met"] is (status == 0)
    assert written["every_pair"]["join"][0]["this"] == {"impressions": 100, "wall": 10, "cpu": 2}
    assert (written["older_build"], written["this_build"]["packages"]) == ({"packages": "there"}, str(PROJECT))


def test_the_driver_measures_the_present_layout(tmp_path: Path) -> None:
    found = learned_by(this_build(), write_interactions(tmp_path, 60))
    assert set(found) == {f"K = {k}, {way}" for k in (11, 50, 200) for way in ("one at a time", "in batches")}
    assert found["K = 11, in batches"].impressions == 60
    assert all(one.cpu > 0 and one.wall > 0 for one in found.values())


def test_the_driver_looks_where_builds_have_had_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    events = ["groundswell.events.elsewhere", "no_such_package.events", "groundswell.events"]
    assert find("Interaction", events) is Interaction
    with pytest.raises(LayoutError, match="this build has Interaction in none of no_such_package"):
        find("Interaction", ["no_such_package"])
    (tmp_path / "lacks_something.py").write_text("import no_such_dependency")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        find("Interaction", ["lacks_something", "groundswell.events"])


def test_a_build_without_a_worker_is_told_before_any_broker_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(against, "older_build", lambda path, kept: OLD)
    assert against.against_worker("join", tmp_path, 4_000, tmp_path, 1, 0.95) == 2
    assert f"the build in there has no worker for benchmarks, neither {WORKERS[0]} nor" in capsys.readouterr().err


def test_this_build_has_the_first_of_the_workers() -> None:
    assert this_build().worker == WORKERS[0]
    assert PROJECT.joinpath(*WORKERS[0].split(".")).with_suffix(".py").exists()


def empty_environment(folder: Path) -> Path:
    """Return the python of an environment in which nothing is installed."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize(
    ("path", "message"),
    [
        pytest.param(lambda folder: folder / "nowhere", "there is no .*nowhere: name a checkout", id="no such path"),
        pytest.param(lambda folder: folder, "has no pyproject.toml: name a checkout", id="a folder of something else"),
        pytest.param(lambda _: PROJECT / "README.md", "README.md does not run, so it is no python", id="a file"),
        pytest.param(lambda _: Path("/bin/false"), "does not answer as a python does", id="another program"),
        pytest.param(lambda folder: empty_environment(folder / "e"), "no groundswell in", id="an empty environment"),
    ],
)
def test_what_is_no_build_is_refused_with_what_to_name_instead(
    tmp_path: Path, path: Callable[[Path], Path], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    named = path(tmp_path)
    with pytest.raises(BuildError, match=message):
        older_build(named, tmp_path / "builds")
    assert against_learner(tmp_path / "out", named, 1, 0.95) == 2
    assert "groundswell:" in capsys.readouterr().err


def test_an_installation_that_fails_says_how_it_ended(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"installing failed; .*install.log ends with:\nno such version"):
        run_logged("installing", [sys.executable, "-c", "exit('no such version')"], tmp_path / "install.log")


def test_the_python_of_an_environment_is_used_as_it_is(tmp_path: Path) -> None:
    found = older_build(Path(sys.executable), tmp_path / "builds")
    assert found.python == Path(sys.executable)
    assert found.worker in WORKERS
    assert not (tmp_path / "builds").exists()
