"""The golden corpus of controls: records of the topic `controls`, and what decides by them, for other languages.

`make corpus` writes clients/corpus/controls.json anew; clients/corpus/README.md says how it is laid out. As in
`golden_corpus`, what goes in is stated here, and what comes out is `groundswell`'s.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import UNSET

from groundswell import policy
from groundswell.client.acting import Acting
from groundswell.controls import NewestControl, place_of
from groundswell.events import Action, Features
from groundswell.exploration import Exploration
from groundswell.policy import Policy, PolicySnapshot, Weights
from groundswell.signatures import Signer, Verifier
from tests.golden_corpus import (
    FOLDER,
    SMALL,
    Record,
    chunked,
    document,
    line,
    listed,
    manifest,
    mapped,
    signed,
    signer,
    written,
)

PLACE_OF_ANN: Final = 77.02317615039647
"""Where user=ann lies in the model `feed`, in percent: not in a canary of so many, but in one of a little more."""
CONTEXTS: Final = {
    "empty": "{}",
    "ann": '{"user":"ann"}',
    "bob": '{"user":"bob","hour":9,"new":true}',
    "no text": '{"user":""}',
    "not ASCII": '{"user":"Zoë 🏔"}',
    "true": '{"user":true}',
    "false": '{"user":false}',
    "7": '{"user":7}',
    "7.0": '{"user":7.0}',
    "7 as a text": '{"user":"7"}',
    "1e3": '{"user":1e3}',
    "-12": '{"user":-12}',
    "0": '{"user":0}',
    "-0.0": '{"user":-0.0}',
    "the largest whole number": '{"user":9007199254740991}',
    "the least whole number": '{"user":-9007199254740991}',
    "a number that is too large": '{"user":9007199254740992}',
    "a number that is too large, and odd": '{"user":9007199254740993}',
    "a number that is much too large": '{"user":1e300}',
    "a fraction": '{"user":0.5}',
    "another name": '{"User":"ann"}',
}
FEW: Final = ["ann", "bob"]
"""By whom it is told apart what decides, where it is the same for all."""
ACTIONS: Final = '[{"id":"news"},{"id":"sport","features":{"length":3}},{"id":"music"}]'
GOOD: Final[dict[str, Any]] = {
    "schema_version": 1,
    "model": "feed",
    "version": 3,
    "mode": "online",
    "by": "ann",
    "at": 1_795_310_400_000,
    "why": "as it went well",
}
CANARY: Final = {"feature": "user", "percent": 50}
REFUSED: Final[dict[str, dict[str, Any]]] = {
    "another schema": {"schema_version": 2},
    "another model": {"model": "shop"},
    "a member that is not known": {"percent": 5},
    "no mode": {"mode": UNSET},
    "another mode": {"mode": "offline"},
    "a mode that is null": {"mode": None},
    "version 0": {"version": 0},
    "a version that is a text": {"version": "3"},
    "a version that is no integer": {"version": 3.5},
    "an older version": {"version": 1},
    "nobody who says so": {"by": ""},
    "no reason": {"why": UNSET},
    "a reason that is too long": {"why": "🙂" * 1_025},
    "a time before 1970": {"at": -1},
    "a time beyond the year 9999": {"at": 253_402_300_800_000},
    "a canary that is missing": {"mode": "canary"},
    "a canary that is null": {"mode": "canary", "canary": None},
    "a canary in another mode": {"canary": CANARY},
    "a canary without a feature": {"mode": "canary", "canary": {"percent": 5}},
    "a canary by a feature without a name": {"mode": "canary", "canary": {"feature": "", "percent": 5}},
    "a canary by a feature whose name is too long": {"mode": "canary", "canary": {"feature": "x" * 129, "percent": 5}},
    "a canary of more than all": {"mode": "canary", "canary": {"feature": "user", "percent": 100.5}},
    "a canary of less than nobody": {"mode": "canary", "canary": {"feature": "user", "percent": -1}},
    "a canary with a member that is not known": {"mode": "canary", "canary": {**CANARY, "salt": 1}},
    "a canary that is a list": {"mode": "canary", "canary": ["user", 5]},
    "frozen without a policy": {"mode": "frozen"},
    "frozen by a policy that is null": {"mode": "frozen", "policy_version": None},
    "frozen by no policy": {"mode": "frozen", "policy_version": 0},
    "a policy in another mode": {"policy_version": 100},
    "a policy of the rest that is none": {"mode": "canary", "canary": CANARY, "policy_version": -1},
}
"""Documents by which nobody acts, by what is changed in a good one."""


class Told(NamedTuple):
    """Records of the topic `controls` in their order, and what is told beside them."""

    records: list[Record]
    contexts: Sequence[str] = FEW
    trusted: Sequence[Signer] = ()
    model: str = "feed"
    newest: bool = True
    """Whether there is a newest policy."""
    to_the_end: bool = True
    """Whether the topic has been read to its end."""


def newest_policy() -> PolicySnapshot:
    """Return what decides where there is no control."""
    return msgspec.structs.replace(
        SMALL, version=200, exploration=Exploration("squarecb", 20.0), bandit=Weights([199], [0.5]), in_doubt=UNSET
    )


def said(**changes: Any) -> bytes:
    """Return the document of a control, with these members in the place of good ones."""
    return line({name: value for name, value in {**GOOD, **changes}.items() if value is not UNSET}).encode()


def control(*, key: str = "feed", **changes: Any) -> Record:
    """Return the record of a control."""
    return key, said(**changes), None


def beside(version: int, model: str = "feed") -> Record:
    """Return the record of the snapshot that a control names."""
    return f"{model}\0pinned", document(version, model=model), None


def sequences() -> dict[str, Told]:
    """Return the sequences of records by their names."""
    good, frozen = control(version=2, mode="log-only"), control(mode="frozen", policy_version=100)
    half = control(mode="canary", canary=CANARY)
    by_both = control(mode="canary", canary=CANARY, policy_version=100)
    pieces, mine, theirs = chunked(document(100), 1, model="feed\0pinned"), signer(1), signer(2)

    def canary(percent: float) -> Record:
        return control(mode="canary", canary={"feature": "user", "percent": percent}, policy_version=100)

    return {
        "no control": Told([]),
        "no control, no policy": Told([], newest=False),
        "not known yet": Told([], to_the_end=False),
        "not known yet whether it is the last one": Told([beside(100), frozen], to_the_end=False),
        "online": Told([control()]),
        "log-only": Told([control(mode="log-only")]),
        "apprentice": Told([control(mode="apprentice")]),
        "frozen": Told([beside(100), frozen]),
        "frozen, no newest policy": Told([beside(100), frozen], newest=False),
        "frozen without its policy": Told([frozen]),
        "frozen beside another policy": Told([beside(150), frozen]),
        "frozen, its policy comes later": Told([frozen, beside(100)]),
        "frozen by an older policy than before": Told(
            [beside(150), control(version=2, mode="frozen", policy_version=150), beside(100), frozen]
        ),
        "another policy is written, and its control is not": Told([beside(100), frozen, beside(150)]),
        "another policy is written and damaged": Told([beside(100), frozen, ("feed\0pinned", b"{}", None)]),
        "the policy of another model": Told([("feed\0pinned", document(100, model="shop"), None), frozen]),
        "its policy is deleted": Told([beside(100), frozen, ("feed\0pinned", None, None)]),
        "its policy in pieces": Told([*pieces, frozen]),
        "its policy in pieces, one of them missing": Told([*pieces[1:], frozen]),
        "its policy in pieces, one of them deleted": Told(
            [*pieces[:-1], ("feed\0pinned\0001\0000", None, None), pieces[-1], frozen]
        ),
        "its policy in pieces of a slot that is none": Told(
            [("feed\0pinned", manifest(slot=2, chunks=1, sha256="0" * 64), None), frozen]
        ),
        "frozen, then online": Told([beside(100), frozen, control(version=4)]),
        "a canary of nobody": Told([beside(100), canary(0)]),
        "a canary of half": Told([half], list(CONTEXTS)),
        "a canary of half, and a policy for the rest": Told([beside(100), by_both], list(CONTEXTS)),
        "a canary of half, and a policy for the rest that is not there": Told([by_both]),
        "a canary of half, and a policy that nobody names": Told([beside(0), half]),
        "a canary of half, no newest policy": Told([beside(100), by_both], newest=False),
        "a canary that ends where ann is": Told([beside(100), canary(PLACE_OF_ANN)]),
        "a canary that ends behind ann": Told([beside(100), canary(PLACE_OF_ANN + 1e-9)]),
        "a canary of all": Told([beside(100), canary(100)], list(CONTEXTS)),
        "a canary by a boolean": Told([control(mode="canary", canary={"feature": "new", "percent": 100})]),
        "a canary by what every object has": Told(
            [control(mode="canary", canary={"feature": "constructor", "percent": 100})]
        ),
        "a canary grows": Told([beside(100), canary(10), canary(90)]),
        "members that are null": Told([control(mode="apprentice", canary=None, policy_version=None)]),
        "a text of many characters": Told([control(mode="log-only", why="🙂" * 1_024)]),
        "the same version again": Told([control(why="first"), control(mode="log-only", why="second")]),
        "the largest version": Told([control(version=2**53 - 1, mode="log-only")]),
        "deleted": Told([good, ("feed", None, None)]),
        "no key": Told([good, (None, said(), None)]),
        "others' keys": Told(
            [
                good,
                ("shop", b"{}", None),
                ("feed\0history\0003", said(), None),
                ("feed\0pinned\0002\0000", b"{}", None),
                ("feed\0pinned\0000\0001000", b"{}", None),
            ]
        ),
        "no control at all": Told([good, ("feed", b"{", None)]),
        "an empty value": Told([good, ("feed", b"", None)]),
        "null": Told([good, ("feed", b"null", None)]),
        "bytes that are no text": Told([good, ("feed", b'{"mode":"\xff"}', None)]),
        "a byte order mark": Told([good, ("feed", b"\xef\xbb\xbf" + said(), None)]),
        "too many bytes": Told([good, ("feed", said() + b" " * 10_000, None)]),
        "a name that is not ASCII": Told(
            [beside(100, "café 🍰"), control(key="café 🍰", model="café 🍰", mode="frozen", policy_version=100)],
            model="café 🍰",
            newest=False,
        ),
        "signed": Told(signed([beside(100), frozen], mine, "controls"), trusted=[mine]),
        "signed by nobody": Told([*signed([good], mine, "controls"), control()], trusted=[mine]),
        "signed by another": Told(
            [*signed([good], mine, "controls"), *signed([control()], theirs, "controls")], trusted=[mine]
        ),
        "signed as a policy is": Told([*signed([good], mine, "controls"), *signed([control()], mine)], trusted=[mine]),
        "its policy is signed by nobody": Told([beside(100), *signed([frozen], mine, "controls")], trusted=[mine]),
        "its policy is signed for another topic": Told(
            [*signed([beside(100)], mine), *signed([frozen], mine, "controls")], trusted=[mine]
        ),
        **{f"refused: {name}": Told([good, control(**changes)], ["ann"]) for name, changes in REFUSED.items()},
    }


def read(told: Told) -> dict[str, Any]:
    """Return what `groundswell` makes of a sequence of records, and what then decides in each of its contexts."""
    verifier = Verifier(*(one.public_key for one in told.trusted)) if told.trusted else None
    newest, acting = NewestControl(told.model, verifier), Acting(Policy(newest_policy() if told.newest else None))
    for key, value, signature in told.records:
        headers = [] if signature is None else [("signature", signature)]
        newest.offer(None if key is None else key.encode(), value, headers)
        acting = acting.by(newest.control, newest.pinned)
    acting = acting._replace(known=told.to_the_end)
    return {
        "refused": newest.refused,
        "control": None if acting.control is None else acting.control.version,
        "decisions": [decided(acting, context) for context in told.contexts],
    }


def decided(acting: Acting, context: str) -> dict[str, Any]:
    """Return what decides in a context, and by which probabilities."""
    known = msgspec.json.decode(CONTEXTS[context], type=Features)
    chosen = acting.chosen(known, "policy")
    shares = chosen.policy.probabilities(known, msgspec.json.decode(ACTIONS, type=list[Action]))
    version = chosen.policy.version or None
    return {
        "context": context,
        "mode": chosen.mode,
        "side": chosen.side,
        "policy_version": version,
        "probabilities": shares,
    }


def places() -> list[dict[str, Any]]:
    """Return where the values of a feature lie."""
    values = [msgspec.json.decode(one)["user"] for one in CONTEXTS.values() if '"user"' in one]
    return [
        {"model": model, "feature": feature, "value": value, "place": place_of(model, feature, value)}
        for model, feature, value in itertools.product(("feed", "café 🍰"), ("user", "ключ"), values)
    ]


def corpus() -> dict[str, str]:
    """Return the content of the file by its name."""
    told = [
        line(
            {
                "name": name,
                "model": one.model,
                "newest": one.newest,
                "trusted": [key.public_key.decode() for key in one.trusted],
                "records": [written(record) for record in one.records],
                "to_the_end": one.to_the_end,
                **read(one),
            }
        )
        for name, one in sequences().items()
    ]
    content = {
        "newest": line(policy.encode(newest_policy()).decode()),
        "contexts": mapped(CONTEXTS),
        "actions": ACTIONS,
        "places": listed([line(one) for one in places()]),
        "sequences": listed(told),
    }
    return {"controls.json": mapped(content) + "\n"}


if __name__ == "__main__":
    for name, content in corpus().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
