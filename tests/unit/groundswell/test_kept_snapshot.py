"""The policy kept in a file is used if it is whole and of the model, and never harms."""

from __future__ import annotations

from pathlib import Path

import pytest

from groundswell.client.kept_snapshot import KeptSnapshot
from groundswell.policy import encode
from tests.unit.groundswell.test_newest_snapshot import snapshot


def test_what_was_kept_is_read_again(tmp_path: Path) -> None:
    kept = KeptSnapshot(tmp_path / "policy.json", "feed")
    assert kept.read() is None
    for version in (1, 2):
        kept.write(snapshot(version))
        assert kept.read() == snapshot(version)
    assert [one.name for one in tmp_path.iterdir()] == ["policy.json"]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a policy snapshot"),
        (encode(snapshot(3))[:-20], "not a policy snapshot"),
        (encode(snapshot(3)).replace(b'"version":3', b'"version":4'), "checksum"),
        (encode(snapshot(3, model="other")), "of model 'other'"),
    ],
)
def test_what_cannot_be_used_is_told_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, content: bytes, told: str
) -> None:
    path = tmp_path / "policy.json"
    path.write_bytes(content)
    assert KeptSnapshot(path, "feed").read() is None
    assert told in caplog.text
    assert str(path) in caplog.text


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    KeptSnapshot(tmp_path / "nowhere" / "policy.json", "feed").write(snapshot(1))
    assert "can be written" in caplog.text
