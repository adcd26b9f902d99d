"""Who asks: bearer tokens (RFC 6750), of which only hashes are kept, and the rights that go with them.

A token is 32 random bytes, so one round of SHA-256 is enough: there is nothing to guess, and a request waits for it a
microsecond. It is found by its hash, so that how long that takes tells nothing of any token.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from hashlib import sha256
from http import HTTPStatus
from typing import Final, NamedTuple

from streams.host_names import ANY
from streams.serve.refused import RefusedError
from streams.settings import TokenSettings
from streams.words import nearest

LEAST_LENGTH: Final = 32
"""Characters of a token that somebody brings: shorter ones could be guessed by their hash."""
OPEN: Final = "anybody"
"""The name of all where there are no tokens."""


class Holder(NamedTuple):
    """Who asks, and about which models."""

    name: str
    models: frozenset[str]

    def may(self, model: str) -> bool:
        """Say whether this model may be asked about."""
        return model in self.models or ANY in self.models

    def check(self, model: str) -> None:
        """Raise `RefusedError` where this model may not be asked about, whether there is one of that name or not."""
        if not self.may(model):
            close = nearest(model, self.models)
            remedy = f"use that of the model, or have it added to [serve.tokens.{self.name}]"
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                f"this token has no rights for the model {model!r}; it has them for "
                f"{', '.join(sorted(self.models)) or 'no model'}: "
                + (f"did you mean {close!r}? Else {remedy}" if close else remedy),
            )

    def check_metrics(self) -> None:
        """Raise `RefusedError` where metrics, which name all models, would tell of some that are not for this one."""
        if self.models and ANY not in self.models:
            raise RefusedError(
                HTTPStatus.FORBIDDEN,
                'metrics are of all models: ask by a token whose section [serve.tokens.NAME] has models = [] or ["*"]',
            )


class Tokens:
    """The tokens that are known. Without any, whoever asks may ask about all models."""

    def __init__(self, settings: Mapping[str, TokenSettings]) -> None:
        self._holders = {one.sha256: Holder(name, frozenset(one.models)) for name, one in settings.items()}
        self._anybody = None if settings else Holder(OPEN, frozenset({ANY}))

    def holder(self, authorization: str | None) -> Holder:
        """Return who asks with this header `Authorization`. Raises `RefusedError`."""
        if self._anybody is not None:
            return self._anybody
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise RefusedError(HTTPStatus.UNAUTHORIZED, "who asks? Send the header `Authorization: Bearer TOKEN`")
        found = self._holders.get(hash_of(token.strip()))
        if found is None:
            raise RefusedError(
                HTTPStatus.UNAUTHORIZED, "this token is not known: is its hash in a section [serve.tokens.NAME]?"
            )
        return found


def new_token() -> str:
    """Return a token that nobody can guess."""
    return secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """Return what is kept of a token in the configuration."""
    return sha256(token.encode()).hexdigest()
