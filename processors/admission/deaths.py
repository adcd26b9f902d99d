"""What a worker's death without an error says of the records that it worked on.

kill -9, the kernel out of memory, a crash of the interpreter: nothing is raised that could be caught, and a record that
brings it about would do so at each start. A death is no evidence against a record by itself. So whoever works on a
partition leaves a `Trail` that outlives it. After a death each step is announced there before it is worked on. The next
one finds in which step it died, and cuts that stretch into narrower steps, until single records are left. A record is
blamed when `ALONE_DEATHS` workers in a row died while it, alone, was worked on. Lived through is forgotten: that a
stretch was worked on to its end, and a worker that lets go of the partition in its own time, clear all suspicion.

A kill that has nothing to do with records has to hit, of all moments, a step within the suspected stretch, each time
narrower, and then the few milliseconds of the same single record `ALONE_DEATHS` times running. With a kill every T
seconds and w seconds for a step, that is at most (8 w / T)^3 (4 w / T) (w / T)^2 for each stretch that is suspected:
8e-12 with a kill every five seconds and steps of 20 ms, 2e-25 with one every quarter of an hour.

Pure: where the trail is kept is for others to say (`streams/worker/careful_steps.py`).
"""

from __future__ import annotations

from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

WIDEST: Final = 2_048
"""Offsets of a step at most, while steps are announced."""
NARROWER: Final = 8
"""Into how many steps a stretch is cut in which a worker died."""
ALONE_DEATHS: Final = 3
"""Workers that die in a row over a record alone before it is blamed: once and twice may be chance."""
MOST_BLAMED: Final = 100
"""Records of a partition, beyond which none is blamed any more: something else is the matter then, and brokers keep
4,096 bytes of this at the most."""

Stretch = tuple[int, int]
"""Offsets of a log: from the first up to, and without, the second."""


class Trail(Struct, frozen=True, array_like=True):
    """What those who work on a partition leave for the next.

    `topic` is the id of the topic whose offsets these are. `holder` names who works on the partition, and is empty
    when it was let go. `step` is what was being worked on, `suspect` where workers died, `deaths` how many did in a row
    in just that stretch. `blamed` are the offsets of records that are not to be worked on.
    """

    topic: str = ""
    holder: str = ""
    step: Stretch | None = None
    suspect: Stretch | None = None
    deaths: int = 0
    blamed: tuple[int, ...] = ()

    @classmethod
    def read(cls, text: str) -> Trail:
        """Return what a trail says; an empty one where something else stands there."""
        try:
            return _decoder.decode(text)
        except (msgspec.MsgspecError, UnicodeEncodeError):
            return cls()

    def written(self) -> str:
        """Return it as text."""
        return msgspec.json.encode(self).decode()

    def taken_over(self, topic: str, holder: str) -> Trail:
        """Return the trail of one who begins to work on a partition of a topic with this id."""
        if topic != self.topic:
            return Trail(topic, holder)
        if self.holder in {"", holder}:
            return Trail(topic, holder, blamed=self.blamed)  # let go; or this worker has lost it and got it back
        if self.step is None:
            return replace(self, holder=holder)
        begin, end = self.step
        deaths = self.deaths + 1 if self.step == self.suspect else 1
        alone = end - begin == 1
        if alone and deaths >= ALONE_DEATHS and len(self.blamed) < MOST_BLAMED:
            return Trail(topic, holder, blamed=(*self.blamed, begin))
        return Trail(topic, holder, None, self.step, deaths, self.blamed)

    def died(self, holder: str) -> bool:
        """Say whether who held the partition before this holder ended without letting go of it."""
        return self.holder not in {"", holder}

    def end_of_step(self, begin: int) -> int:
        """Return where a step that begins at this offset has to end at the latest."""
        if self.suspect is None or begin >= self.suspect[1]:
            return begin + WIDEST
        first, end = self.suspect
        if begin < first:
            return min(begin + WIDEST, first)
        return min(begin + max(1, (end - first) // NARROWER), end)

    def announced(self, step: Stretch) -> Trail:
        """Return the trail of one who begins to work on a stretch."""
        return replace(self, step=step)

    def lived_through(self) -> Trail:
        """Return the trail of one who has worked on what was announced."""
        if self.step is None or (self.suspect is not None and self.step[1] < self.suspect[1]):
            return replace(self, step=None)
        return replace(self, step=None, suspect=None, deaths=0)

    def let_go(self) -> Trail:
        """Return the trail of one who lets go of the partition in its own time."""
        return Trail(self.topic, blamed=self.blamed)


_decoder: Final = msgspec.json.Decoder(Trail)
