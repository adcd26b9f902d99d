"""The newest policy of a model, from the records of the policies topic, whatever client reads them."""

from __future__ import annotations

import logging
from typing import Final

from groundswell.chunks import ManifestError, assemble, is_of
from groundswell.policy import PolicyError, PolicySnapshot, decode
from groundswell.signatures import Headers, Verifier, require_bytes

_LOG = logging.getLogger(__name__)
_AS_IT_CAME: Final = "give it as it came, from a consumer without deserializers"


class NewestSnapshot:
    """The newest snapshot of one model among the records of the policies topic.

    A large snapshot lies in several records. One of which a part is missing, or whose checksum does not match,
    is passed over, and so is one older than what is already known. What no worker publishes is passed over, told in the
    log and counted in `refused`; the snapshot stays the one that it was. With a `verifier` that is so of all that none
    of its keys has signed.

    Raises:
        ValueError: the model has no name.
        TypeError: the verifier is none.
    """

    def __init__(self, model: str, verifier: Verifier | None = None) -> None:
        if not isinstance(model, str) or not model:
            raise ValueError(f"model is {model!r}: give the name of the model, as [models.NAME] of the worker has it")
        if verifier is not None and not isinstance(verifier, Verifier):
            raise TypeError(f"verifier is {type(verifier).__name__}: give a Verifier, Verifier(public_key)")
        self._verifier = verifier
        self.snapshot: PolicySnapshot | None = None
        self.refused = 0
        self._model = model
        self._key = model.encode()
        self._records: dict[bytes, bytes | None] = {}

    def offer(self, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> bool:
        """Take in one record; say whether it completes a newer snapshot.

        `headers` are pairs of name and content, as clients for Python give them; they have the record's signature.
        Raises TypeError where key or value is not bytes, or headers are no pairs.
        """
        for what, given in (("key", key), ("value", value)):
            if given is not None:
                require_bytes(what, given, _AS_IT_CAME)
        if key is None or not is_of(self._key, key):
            return False
        if value is not None and self._verifier is not None:
            why = self._verifier.refusal("policies", 0, key, value, headers)
            if why is not None:
                self.pass_over(why)
                return False
        self._records[key] = value
        if key != self._key:
            return False
        try:
            snapshot = self._read()
        except (ManifestError, PolicyError) as error:
            self.pass_over(error)
            return False
        if snapshot is None or (self.snapshot is not None and snapshot.version <= self.snapshot.version):
            return False
        self.snapshot = snapshot
        return True

    def pass_over(self, why: object) -> None:
        """Tell and count that something was not taken in; for whoever reads, of what does not get as far as `offer`."""
        self.refused += 1
        _LOG.warning("passed over a policy: %s", why)

    def _read(self) -> PolicySnapshot | None:
        """Return what lies under the model's key, None while it is not complete."""
        whole, _ = assemble(self._key, self._records)
        if whole is None:
            return None
        snapshot = decode(whole)
        if snapshot.model != self._model:
            raise PolicyError(f"a policy of {snapshot.model[:100]!r} lies under the key of {self._model!r}")
        return snapshot
