"""The newest policy of a model, from the records of the policies topic, whatever client reads them."""

from __future__ import annotations

import logging

from groundswell.chunks import assemble
from groundswell.policy import PolicyError, PolicySnapshot, decode

_LOG = logging.getLogger(__name__)


class NewestSnapshot:
    """The newest snapshot of one model among the records of the policies topic.

    A large snapshot lies in several records. One of which a part is missing, or whose checksum does not match,
    is passed over, and so is one older than what is already known.
    """

    def __init__(self, model: str) -> None:
        self.snapshot: PolicySnapshot | None = None
        self._key = model.encode()
        self._records: dict[bytes, bytes | None] = {}

    def offer(self, key: bytes | None, value: bytes | None) -> bool:
        """Take in one record; say whether it completes a newer snapshot."""
        if key is None or key.partition(b"\0")[0] != self._key:
            return False
        self._records[key] = value
        if key != self._key:
            return False
        whole, _ = assemble(self._key, self._records)
        if whole is None:
            return False
        try:
            snapshot = decode(whole)
        except PolicyError as error:
            _LOG.warning("passed over a policy: %s", error)
            return False
        if self.snapshot is not None and snapshot.version <= self.snapshot.version:
            return False
        self.snapshot = snapshot
        return True
