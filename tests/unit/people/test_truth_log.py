"""The file that passes the simulator's truth to the demo while it grows."""

from __future__ import annotations

from pathlib import Path

from experiments.people.app_sessions import Produced
from experiments.people.truth_log import Finished, PolicyTruth, Progress, Truth, TruthReader, TruthWriter, World

TRUTHS: list[Truth] = [
    World([[1, 0, -1]]),
    PolicyTruth(version=3, impressions=9, greedy_value=0.5, policy_value=0.25),
    Progress(Produced(impressions=10)),
    Finished(Produced(impressions=12, feedback=4), closed_at=99),
]


def test_each_truth_is_read_once_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "truth"
    reader = TruthReader(path)
    assert list(reader.new()) == []  # the writer has not begun
    with TruthWriter(path) as writer:
        for truth in TRUTHS:
            writer.write(truth)
            assert list(reader.new()) == [truth]
        assert list(reader.new()) == []


def test_half_a_line_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "truth"
    with TruthWriter(path) as writer:
        for truth in TRUTHS:
            writer.write(truth)
    whole = path.read_bytes()
    reader = TruthReader(path)
    path.write_bytes(whole[:-5])
    assert list(reader.new()) == TRUTHS[:-1]
    path.write_bytes(whole)
    assert list(reader.new()) == TRUTHS[-1:]


def test_without_a_path_nothing_is_written() -> None:
    with TruthWriter(None) as writer:
        writer.write(TRUTHS[0])
