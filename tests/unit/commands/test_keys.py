"""`groundswell keys create`: a pair that fits, the private one for nobody else to read, and none written over."""

from __future__ import annotations

from pathlib import Path

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
