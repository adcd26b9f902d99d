"""Records on `controls`: gone by or passed over, and decided by.

An input is lines, each a letter and what it writes: `c` a document under the model's key, `p` one under that of the
snapshot beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from random import Random
from typing import Any, Final

import msgspec

from experiments.fuzz.drawn import described, drawn
from experiments.fuzz.mutation import as_json, mutated_json, mutated_lines
from experiments.fuzz.policies import MODEL, learned, sealed
from experiments.fuzz.target import Target, require
from experiments.fuzz.worker import ACTIONS, CONTEXTS
from groundswell.client.acting import Acting
from groundswell.client.decisions import decide, impression_of
from groundswell.controls import MODES, Canary, Control, NewestControl, decode, encode, pinned_key
from groundswell.events import Impression, contradiction
from groundswell.policy import Policy, PolicySnapshot
from streams.inspection.model_controls import in_words

MOST_LINES: Final = 12
NOW: Final = 1_795_310_400_000
TYPES: Final[Mapping[str, Any]] = {"c": Control, "p": PolicySnapshot}
WORDS: Final = (*MODES, MODEL, "user", 100, 0, 3, {"feature": "user", "percent": 50})


def check(data: bytes) -> None:
    """What is no control leaves the last good one; by what is one, a policy decides that there is, or none."""
    newest = NewestControl(MODEL)
    newest.offer(MODEL.encode(), encode(_control("log-only")))
    require(newest.control == _control("log-only"), "a good control is not gone by")
    policy = Policy(_snapshot())
    for line in data.split(b"\n")[:MOST_LINES]:
        letter, content = line[:1], line[1:]
        before, refused = (newest.control, newest.pinned), newest.refused
        if letter == b"p":
            newest.offer(pinned_key(MODEL), sealed(content))
        else:
            newest.offer(MODEL.encode(), content)
        require(newest.refused == refused or (newest.control, newest.pinned) == before, "what was passed over counts")
        control = newest.control
        if control is None:
            require(False, "the last good control is gone")
            return
        require(decode(encode(control)) == control, "what is written of it is not what was read")
        in_words(MODEL, control, NOW)
        pinned = newest.pinned
        _check_decides(Acting(policy, Policy(pinned), control, known=True))
    last = (1 << 63) - 1
    if newest.control is not None and newest.control.version < last:
        newest.offer(MODEL.encode(), encode(msgspec.structs.replace(_control("online"), version=last)))
        require(newest.control.mode == "online", "the next good control is not gone by")


def _check_decides(acting: Acting) -> None:
    there = {None, acting.newest.version, acting.pinned.version}
    for context in CONTEXTS:
        chosen = acting.chosen(context, "policy")
        made = decide(MODEL, chosen.policy, chosen.basis, context, ACTIONS, mode=chosen.mode, side=chosen.side)
        require(made.policy_version in there, f"decided by version {made.policy_version}, which is not there")
        require((made.policy_version is None) == (made.basis == "uniform"), f"{made.basis}: {made.policy_version}")
        written = msgspec.json.decode(msgspec.json.encode(impression_of(made, NOW)), type=Impression)
        require(contradiction(written) is None, "its impression contradicts itself")


def _snapshot() -> PolicySnapshot:
    return msgspec.json.decode(learned(MODEL), type=PolicySnapshot)


def _control(mode: Any) -> Control:
    return Control(
        schema_version=1,
        model=MODEL,
        version=1,
        mode=mode,
        by="ann",
        at=NOW,
        why="why not",
        canary=Canary("user", 50) if mode == "canary" else None,
        policy_version=_snapshot().version if mode in {"canary", "frozen"} else None,
    )


def seeds() -> Iterable[bytes]:
    """Yield good controls of each mode, with a snapshot before them."""
    for mode in MODES:
        yield b"p" + learned(MODEL) + b"\nc" + encode(_control(mode))
        yield b"c" + encode(_control(mode))


def mutated(data: bytes, rng: Random) -> bytes | None:
    """Return records with a document in one of them changed, or drawn anew."""

    def change(line: bytes) -> bytes:
        letter = line[:1].decode("latin-1")
        if letter not in TYPES or rng.random() < 0.1:
            return b"c" + as_json(drawn(described(Control), rng), rng)
        return letter.encode() + (mutated_json(line[1:], described(TYPES[letter]), rng, WORDS) or line[1:])

    return None if rng.random() < 0.2 else mutated_lines(data, rng, change)


TARGET: Final = Target("controls", check, seeds, mutated, 16_384)
