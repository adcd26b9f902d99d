"""Keys of the settings that cannot be used: each is told by the setting that it comes from, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from pydantic import SecretStr
from typer.testing import CliRunner

from groundswell.signatures import SignatureError, new_key_pair
from streams.cli import cli
from streams.kafka.signing import Signing
from streams.settings import SignatureSettings

PRIVATE, PUBLIC = new_key_pair()
RSA = rsa.generate_private_key(65_537, 2_048)
PEM, PKCS8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
RSA_PRIVATE = RSA.private_bytes(PEM, PKCS8, serialization.NoEncryption())
RSA_PUBLIC = RSA.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
LOCKED = ed25519.Ed25519PrivateKey.generate().private_bytes(PEM, PKCS8, serialization.BestAvailableEncryption(b"x"))


def named(folder: Path, content: bytes) -> Path:
    path = folder / "key"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    "content", [b"", b"junk", PUBLIC, RSA_PRIVATE, LOCKED], ids=["empty", "junk", "public", "RSA", "locked"]
)
def test_a_private_key_that_cannot_be_used_names_its_setting(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SignatureError, match=r"^signatures\.private_key_file: the private key .*keys create`"):
        Signing.of(SignatureSettings(private_key_file=named(tmp_path, content)))
    if content:
        with pytest.raises(SignatureError, match=r"^signatures\.private_key: the private key .*keys create`"):
            Signing.of(SignatureSettings(private_key=SecretStr(content.decode())))


@pytest.mark.parametrize("content", [b"", b"junk", PRIVATE, RSA_PUBLIC], ids=["empty", "junk", "private", "RSA"])
def test_a_public_key_that_cannot_be_used_names_its_setting(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SignatureError, match=r"^signatures\.public_key_files: .*public key.*keys create`"):
        Signing.of(SignatureSettings(public_key_files=(named(tmp_path, content),)))


def test_the_key_of_another_pair_is_told_with_both_settings(tmp_path: Path) -> None:
    other = SignatureSettings(private_key=SecretStr(PRIVATE.decode()), public_key_files=(named(tmp_path, PUBLIC),))
    Signing.of(other).require_both()
    mixed = SignatureSettings(
        private_key=SecretStr(new_key_pair()[0].decode()), public_key_files=(named(tmp_path, PUBLIC),)
    )
    with pytest.raises(SignatureError, match=r"signatures\.public_key_files is set.*signatures\.private_key_file"):
        Signing.of(mixed).require_both()


@pytest.mark.parametrize("command", ["worker", "redecode --model feed --stopped"])
def test_commands_say_it_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    monkeypatch.setenv("GROUNDSWELL_MODELS__FEED__DEFINITELY_NEGATIVE", '["dislike"]')
    monkeypatch.setenv("GROUNDSWELL_SIGNATURES__PUBLIC_KEY_FILES", f'["{named(tmp_path, b"junk")}"]')
    monkeypatch.setattr("streams.kafka.access_check.check_connection", lambda *_: None)
    result = CliRunner().invoke(cli, command.split())
    assert result.exit_code == 2
    assert "signatures.public_key_files: no public key to check signatures by" in result.output
    assert result.output.count("\n") == 1
