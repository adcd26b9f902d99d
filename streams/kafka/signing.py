"""The signatures of what workers write, by the settings: who signs, and what of a topic is believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from groundswell.signatures import Kind, SignatureError, Signer, Verifier
from streams.kafka.batch_writer import Headers
from streams.observing.logs import get_log
from streams.settings import SignatureSettings

LOG = get_log(__name__)


@dataclass(frozen=True)
class Signing:
    """Signs and checks records, or does neither."""

    signer: Signer | None = None
    verifier: Verifier | None = None

    @classmethod
    def of(cls, settings: SignatureSettings) -> Signing:
        """Return what the settings say. Raises `SignatureError` where a key cannot be used."""
        private, public = settings.private_pem, [path.read_bytes() for path in settings.public_key_files]
        with _named("private_key" if settings.private_key_file is None else "private_key_file"):
            signer = None if private is None else Signer(private)
        with _named("public_key_files"):
            return cls(signer, Verifier(*public) if public else None)

    def require_both(self) -> None:
        """Raise `SignatureError` where this would not believe what it writes itself."""
        if self.verifier is not None and (self.signer is None or not self.verifier.trusts(self.signer)):
            raise SignatureError(
                "signatures.public_key_files is set, and what this program writes would not be believed by it: set "
                "signatures.private_key_file (or GROUNDSWELL_SIGNATURES__PRIVATE_KEY) to the key of one of them"
            )

    def headers(self, kind: Kind, partition: int, key: bytes, value: bytes) -> Headers:
        """Return the headers of a record that is written."""
        return () if self.signer is None else self.signer.headers(kind, partition, key, value)

    def belief(self, kind: Kind, partition: int, refused: Callable[[], None] = lambda: None) -> Belief:
        """Return what says of each record of a partition, in order, whether it is believed."""
        return Belief(self.verifier, kind, partition, refused)


@contextmanager
def _named(setting: str) -> Iterator[None]:
    """Let a key that cannot be used be told by the setting that it comes from."""
    try:
        yield
    except SignatureError as error:
        raise SignatureError(f"signatures.{setting}: {error}") from error


@dataclass
class Belief:
    """Says of each record whether it is believed; `refused` is called for each that is not.

    What is not believed is passed over, as if it were not there: what was written under its key before stays. A record
    that deletes a key cannot be signed by those who look after a topic, and is believed.
    """

    verifier: Verifier | None
    kind: Kind
    partition: int
    refused: Callable[[], None]
    why: dict[bytes, str] = field(default_factory=dict)
    """Of each key whose last record was not believed, why."""

    def __call__(self, record: Any) -> bool:
        """Say whether a record is believed, of whatever client it comes."""
        if self.verifier is None or record.key is None:
            return True
        why = None
        if record.value is not None:
            why = self.verifier.refusal(self.kind, self.partition, record.key, record.value, record.headers)
        if why is None:
            self.why.pop(record.key, None)
            return True
        if record.key not in self.why:
            LOG.warning("not believed", topic=record.topic, partition=self.partition, offset=record.offset, why=why)
        self.why[record.key] = why
        self.refused()
        return False
