import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from experiments.papers import experiments, feeds, measures, report
from experiments.papers.runs_and_bars import Bar, Experiment, Run, median, worst


@pytest.mark.parametrize(
    ("values", "t90", "stable"),
    [
        ([0.0] * 1000, None, None),
        ([1.0] * 1000, 500, 500),
        ([0.0] * 500 + [1.0] * 1000, 950, 950),
        ([1.0] * 500 + [0.0] * 100 + [1.0] * 1000, 500, 1050),
        ([1.0] * 1000 + [0.0] * 100, 500, None),
    ],
)
def test_t90_and_stable(values: list[float], t90: int | None, stable: int | None) -> None:
    assert measures.t90(np.array(values)) == t90
    assert measures.stable(np.array(values)) == stable


def test_recall_and_precision_leave_out_the_beginning() -> None:
    true = np.array([1, -1, -1, 0, 1], dtype=np.int8)
    decoded = np.array([0, -1, 1, 0, 1], dtype=np.int8)
    assert measures.recall(true, decoded, 1) == {"-1": 0.5, "0": 1.0, "1": 1.0}
    assert measures.precision(true, decoded, 1) == {"-1": 1.0, "0": 1.0, "1": 0.5}
    assert measures.recall(true, decoded, 4)["-1"] is None


def test_what_was_never_reached_is_the_worst() -> None:
    assert median([1, 2, None], "lower") == 2
    assert median([1, None, None], "lower") is None
    assert worst([1, None], "lower") is None
    assert worst([0.5, 0.7], "higher") == 0.5


def experiment_that_reaches(reached: float | None) -> Experiment:
    def bars(_setting: str, runs: Sequence[Run]) -> list[Bar]:
        return [feeds.at_most(runs, "t90", 10)]

    return Experiment(
        name="tiny",
        title="Tiny",
        explanation="Nothing <much>.",
        configuration={},
        settings=("only",),
        run=lambda setting, seed: Run(setting, seed, {"t90": reached, "recall": {"-1": 0.5}}),
        directions={"t90": "lower"},
        bars=bars,
        plots=lambda runs: [],
    )


@pytest.mark.parametrize(("reached", "status"), [(9, 0), (11, 1), (None, 1)])
def test_the_exit_status_says_whether_all_bars_are_met(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reached: float | None, status: int
) -> None:
    monkeypatch.setattr(experiments, "find", lambda name: experiment_that_reaches(reached))
    assert experiments.evaluate("tiny", 2, 7, tmp_path) == status
    content = json.loads((tmp_path / "results.json").read_text())
    assert [run["seed"] for run in content["runs"]] == [7, 8]
    assert content["summary"]["only"]["t90"] == {"median": reached, "worst": reached}
    assert content["summary"]["only"]["bars"][0]["met"] == (status == 0)
    assert "Nothing &lt;much&gt;" in (tmp_path / "report.html").read_text()
    assert "| only |" in (tmp_path / "table.md").read_text()


def test_all_experiments_go_on_one_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experiments, "find", lambda name: experiment_that_reaches(9))
    assert experiments.evaluate("all", 1, 0, tmp_path) == 0
    assert (tmp_path / "index.html").read_text().count("<section") == len(experiments.EXPERIMENTS)


@pytest.mark.parametrize("name", experiments.EXPERIMENTS)
def test_every_experiment_can_be_found(name: str) -> None:
    experiment = experiments.find(name)
    assert experiment.name == name
    json.dumps(dict(experiment.configuration))


def test_an_unknown_experiment_is_refused() -> None:
    with pytest.raises(ValueError, match="three-state"):
        experiments.find("four-state")


@pytest.mark.parametrize(("value", "text"), [(None, "-"), (1204.5, "1,204"), (0.98765, "0.988"), (0.0, "0")])
def test_numbers_are_written_for_readers(value: float | None, text: str) -> None:
    assert report.number(value) == text


def test_three_state_reaches_its_bars_on_one_seed() -> None:
    experiment = experiments.find("three-state")
    run = experiment.run(experiment.settings[0], 4242)
    assert all(bar.met for bar in experiment.bars(experiment.settings[0], [run]))
    assert {plot.name for plot in experiment.plots([run])} == {"value", "states"}
