"""Tokens, as they are made for an app and for the configuration."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from streams.cli import cli
from streams.declared_settings import DeclarationError
from streams.serve.refused import RefusedError
from streams.serve.tokens import Tokens, hash_of
from streams.settings import TokenSettings, load_settings

MODELS = '[models.feed]\ndefinitely_negative = ["dislike"]\n'
SHA = hash_of("x" * 40)


def test_a_token_that_is_made_is_known_by_what_goes_into_the_configuration() -> None:
    made = CliRunner().invoke(cli, ["hash-token"])
    assert made.exit_code == 0
    token = made.output.splitlines()[0].split()[-1]
    section = tomllib.loads(made.output[made.output.index("[serve") :])["serve"]["tokens"]["app"]
    assert token not in str(section)
    assert Tokens({"app": TokenSettings(**section)}).holder(f"Bearer {token}").name == "app"
    assert CliRunner().invoke(cli, ["hash-token"]).output != made.output


def test_a_token_that_is_given_is_not_shown() -> None:
    made = CliRunner().invoke(cli, ["hash-token", "--given"], input="x" * 40 + "\n")
    assert SHA in made.output
    assert "xxx" not in made.output


@pytest.mark.parametrize("token", ["", "short", "with a space" * 5, "ü" * 40, "x" * 40 + "\ny"])
def test_a_token_that_could_be_guessed_or_not_be_sent_is_refused(token: str) -> None:
    made = CliRunner().invoke(cli, ["hash-token", "--given"], input=token)
    assert made.exit_code == 2


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic " + "x" * 40, "x" * 40, "Bearer " + "y" * 40])
def test_whoever_has_no_token_is_nobody(header: str | None) -> None:
    with pytest.raises(RefusedError):
        Tokens({"app": TokenSettings(sha256=SHA, models=("feed",))}).holder(header)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_is_written_as_one_likes(scheme: str) -> None:
    assert Tokens({"app": TokenSettings(sha256=SHA, models=("feed",))}).holder(f"{scheme} {'x' * 40}").may("feed")


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ('[serve]\nhost = "0.0.0.0"\n', "there are no tokens"),
        ('[serve]\nhost = "feed.example"\n', "there are no tokens"),
        (f'[serve.tokens.app]\nsha256 = "{SHA}"\nmodels = ["fed"]\n', "did you mean 'feed'?"),
        ('[serve.tokens.app]\nsha256 = "x"\nmodels = ["feed"]\n', "sha256"),
        (f'[serve.tokens.app]\nsha256 = "{SHA}"\n', "models"),
        (f'[serve.tokens.a]\nsha256 = "{SHA}"\nmodels = []\n[serve.tokens.b]\nsha256 = "{SHA}"\nmodels = []\n', "same"),
        ("[serve]\nmax_body_bytes = 10_000_000\n", "max_body_bytes"),
        ('[serve]\nallowed_hosts = ["https://feed.example"]\n', "feed.example"),
        ('[serve]\nkeep_folder = "/no/such/folder"\n', "keep_folder"),
    ],
)
def test_what_cannot_work_is_refused_at_the_start(toml: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "groundswell.toml"
    path.write_text(toml + MODELS)
    with pytest.raises(DeclarationError, match=words.replace("?", r"\?")):
        load_settings(path)


def test_a_token_in_the_place_of_its_hash_is_told_with_what_to_do_and_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "groundswell.toml"
    path.write_text('[serve.tokens.shop]\nmodels = ["feed"]\nsha256 = "s3cr3t-token"\n' + MODELS)
    with pytest.raises(DeclarationError) as refused:
        load_settings(path)
    assert str(refused.value) == (
        f"{path}:3: `sha256` in [serve.tokens.shop]: must be the hash of a token, 64 hexadecimal digits (0-9, a-f), "
        "and never the token itself; `groundswell hash-token` makes one"
    )


def test_beyond_loopback_it_may_be_bound_with_tokens(tmp_path: Path) -> None:
    path = tmp_path / "groundswell.toml"
    path.write_text(f'[serve]\nhost = "0.0.0.0"\n[serve.tokens.app]\nsha256 = "{SHA}"\nmodels = ["*"]\n{MODELS}')
    assert load_settings(path).serve.host == "0.0.0.0"
