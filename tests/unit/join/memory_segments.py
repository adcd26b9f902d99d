"""A stand-in for the table of segments: what is durable, what was sent and may be lost, and in which order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import msgspec

from state.segment_table import MARK_WINDOW, Key, Mark, decode_mark

Changelog = dict[Key, bytes]


class MemorySegments:
    """One worker's view of the table over a changelog that outlives it.

    Writes are seen by the writer at once and are durable when it has waited for them; `crash` says how many of
    those on the way still arrive.
    """

    def __init__(self, changelog: Changelog, happened: list[str] | None = None) -> None:
        self._changelog = changelog
        self._local = dict(changelog)
        self._sent: defaultdict[int, list[tuple[Key, bytes | None]]] = defaultdict(list)
        self.happened: list[str] = [] if happened is None else happened

    def marks(self, partition: int) -> dict[str, Mark]:
        return {
            key[2]: decode_mark(key, value)
            for key, value in self._local.items()
            if key[0] == partition and key[1] == MARK_WINDOW
        }

    def segments(self, partition: int) -> Iterator[tuple[Key, bytes]]:
        for key, value in self._local.items():
            if key[0] == partition and key[1] != MARK_WINDOW:
                yield key, value

    def segment(self, key: Key) -> bytes:
        return self._local[key]

    def put_segment(self, key: Key, value: bytes) -> None:
        self.happened.append("segment")
        self._put(key, value)

    def put_mark(self, partition: int, writer: str, mark: Mark) -> None:
        self.happened.append("mark")
        self._put((partition, MARK_WINDOW, writer, 0), msgspec.msgpack.encode(mark))

    def __delitem__(self, key: Key) -> None:
        self.happened.append("deletion")
        del self._local[key]
        self._sent[key[0]].append((key, None))

    async def acknowledged(self, partition: int) -> None:
        if self._sent.get(partition):
            self.happened.append("acknowledged")
        self._arrive(partition, len(self._sent[partition]))

    def crash(self, arriving: int = 0) -> None:
        """Lose all writes on the way but the first `arriving` of each partition."""
        for partition in list(self._sent):
            self._arrive(partition, arriving)
        self._sent.clear()

    def _put(self, key: Key, value: bytes) -> None:
        self._local[key] = value
        self._sent[key[0]].append((key, value))

    def _arrive(self, partition: int, count: int) -> None:
        sent = self._sent[partition]
        for key, value in sent[:count]:
            if value is None:
                self._changelog.pop(key, None)
            else:
                self._changelog[key] = value
        del sent[:count]
