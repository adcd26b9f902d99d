"""`groundswell keys create`: a pair that fits, the private one for nobody else to read, and none written over."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from groundswell.signatures import Signer, Verifier
from streams.kafka.command import keys


def test_a_pair_of_keys_is_made_once(tmp_path: Path) -> None:
    out = tmp_path / "keys"
    made = CliRunner().invoke(keys, ["--out", str(out)])
    assert made.exit_code == 0, made.output
    private, public = out / "groundswell.key", out / "groundswell.pub"
    assert Verifier(public.read_bytes()).trusts(Signer(private.read_bytes()))
    assert private.stat().st_mode & 0o077 == 0
    before = private.read_bytes()
    again = CliRunner().invoke(keys, ["--out", str(out)])
    assert again.exit_code != 0
    assert "is there already" in again.output
    assert private.read_bytes() == before


def test_no_half_pair_is_left_beside_a_public_key_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "groundswell.pub").write_text("somebody's")
    made = CliRunner().invoke(keys, ["--out", str(tmp_path)])
    assert made.exit_code != 0
    assert "groundswell.pub is there already: give another --name" in made.output.replace("\n", "")
    assert [one.name for one in tmp_path.iterdir()] == ["groundswell.pub"]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../a", "/a"])
def test_a_name_that_is_no_name_of_files_is_refused(tmp_path: Path, name: str) -> None:
    made = CliRunner().invoke(keys, ["--out", str(tmp_path), "--name", name])
    assert made.exit_code == 2
    assert "must be a name of files, such as feed; --out names their folder" in made.output
    assert not list(tmp_path.iterdir())


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = CliRunner().invoke(keys, ["--out", str(tmp_path / "file" / "below")])
    assert made.exit_code == 2
    assert "name a folder that can be written with --out" in made.output.replace("\n", "")
