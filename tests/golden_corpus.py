"""The golden corpus: policies, contexts and records, and what `groundswell` makes of them, for other languages.

`make corpus` writes clients/corpus anew; clients/corpus/README.md says how it is laid out. What goes in is stated here,
contexts as JSON texts, since they hold numbers in every notation; what comes out is `groundswell`'s.
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import UNSET, UnsetType

from groundswell import policy
from groundswell.events import Action, Features
from groundswell.exploration import Exploration, draw
from groundswell.features import CONSTANT_HASH, action_features, context_features, crossed, hashed
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import InDoubt, Policy, PolicySnapshot, Weights
from groundswell.signatures import Kind, Signer, Verifier

FOLDER: Final = Path(__file__).parents[1] / "clients" / "corpus"
ALMOST_ONE: Final = 1 - 2**-53
NUMBERS: Final = [0.0, 0.35, 0.5, 0.9, ALMOST_ONE]
"""By which actions are drawn."""
CLEAR: Final = 1e-9
"""How far a number has to be from where the drawn action changes, where probabilities are 1e-12 off."""

CONTEXTS: Final = {
    "empty": "{}",
    "a text": '{"user":"ann"}',
    "texts and booleans": '{"user":"ann","returning":true,"premium":false,"city":"Zürich 🏔"}',
    "an empty text": '{"user":"","note":"a=b"}',
    "notations": '{"a":1,"b":1.0,"c":1e3,"d":2.5E-1,"e":-0.0,"f":0,"g":12.30,"h":1E+2}',
    "sizes": '{"tiny":1e-10,"least":1e-9,"below":-9.99e-10,"most":1000000000,"more":1e18,'
    '"less":-123456789012345678901234567890}',
    "numbers that are left out": '{"zero":0,"minus":-0.0,"tiny":-1e-300}',
    "order of names": '{"\U0001f600":0.3,"\uff5a":0.7,"z":1.1,"Z":0.9,"é":true," ":"blank"}',
    "not ones": '{"hour":0.1,"length":0.7,"user":"bob","depth":3}',
    "numbers that multiply to 1": '{"half":0.5,"twice":2}',
}
ACTIONS: Final = {
    "ids": '[{"id":"news"},{"id":"sport"},{"id":"music"}]',
    "one": '[{"id":"only"}]',
    "features": '[{"id":"a","features":{"length":3,"topic":"sport"}},{"id":"b","features":{"length":0.1,"new":true}},'
    '{"id":"c","features":{}},{"id":"d"}]',
    "odd": '[{"id":"🙂","features":{"\U0001f600":0.1,"\uff5a":1e12,"o":-0.0}},{"id":"=","features":{"x":""}}]',
    "alike": '[{"id":"p"},{"id":"q"},{"id":"r"},{"id":"s"},{"id":"t"}]',
}


def read_context(name: str) -> Features:
    """Return a context as a worker reads it."""
    return msgspec.json.decode(CONTEXTS[name], type=Features)


def read_actions(name: str) -> list[Action]:
    """Return a list of actions as a worker reads it."""
    return msgspec.json.decode(ACTIONS[name], type=list[Action])


def weight(index: int, scale: float) -> float:
    """Return a number of many digits: sums of such show in which order they were added."""
    return (index * 2654435761 % 2**32 / 2**31 - 1) / 3 * scale


def snapshot(
    bits: int,
    exploration: Exploration,
    *,
    crosses: bool = False,
    shared: bool = False,
    beside_numbers: bool | UnsetType = True,
    in_doubt: InDoubt | UnsetType = UNSET,
    scale: float = 1.0,
    weights: bool = True,
) -> PolicySnapshot:
    """Return a policy with weights for one of three of all that the corpus has."""
    pairs = [
        crossed(g, h) % 2**bits
        for context, actions in itertools.product(CONTEXTS, ("ids", "features", "odd"))
        for g, _ in context_features(read_context(context), crosses)
        for action in read_actions(actions)
        for h, _ in action_features(action)
    ]
    indices = [index for index in sorted(set(pairs)) if index % 3 == 0] if weights else []
    return PolicySnapshot(
        model="feed",
        version=11_250,
        parent=None if beside_numbers is UNSET else 11_000,
        features="",
        bits=bits,
        context_crosses=crosses,
        shared_weights=shared,
        constant_beside_numbers=beside_numbers,
        exploration=exploration,
        in_doubt=in_doubt,
        bandit=Weights(indices, [weight(index, scale) for index in indices]),
        inverse_kinematics=None,
        configuration="",
    )


def policies() -> dict[str, PolicySnapshot]:
    """Return the policies that decisions are made by."""
    greedy, cautious = Exploration("epsilon-greedy", 0.3), Exploration("squarecb", 20.0)
    ann, cross = hashed("user=ann"), crossed(hashed("premium=false"), hashed("returning=true"))
    return {
        "epsilon-greedy": snapshot(12, greedy),
        "of an older worker": snapshot(8, greedy, beside_numbers=UNSET),
        "constant not beside numbers": snapshot(12, greedy, beside_numbers=False),
        "no exploration": snapshot(10, Exploration("epsilon-greedy", 0.0)),
        "all exploration": snapshot(8, Exploration("epsilon-greedy", 1.0)),
        "no weights": snapshot(18, cautious, weights=False),
        "two weights": snapshot(1, cautious),
        "squarecb": snapshot(18, cautious),
        "squarecb with the parameter 0": snapshot(9, Exploration("squarecb", 0.0)),
        "large weights": snapshot(9, Exploration("squarecb", 1e100), scale=1e100),
        "softmax": snapshot(12, Exploration("softmax", 0.07)),
        "softmax of the least temperature": snapshot(8, Exploration("softmax", 1e-100)),
        "softmax of a large temperature": snapshot(8, Exploration("softmax", 1e100)),
        "crosses of 32 bits": snapshot(32, cautious, crosses=True, scale=0.01),
        "crosses and shared weights": snapshot(9, greedy, crosses=True, shared=True),
        "shared weights": snapshot(31, cautious, shared=True),
        "in doubt everywhere": snapshot(9, cautious, in_doubt=InDoubt(0.6, [CONSTANT_HASH])),
        "in doubt about ann": snapshot(9, greedy, in_doubt=InDoubt(0.9, sorted({ann, 17}))),
        "in doubt about a cross": snapshot(8, cautious, crosses=True, in_doubt=InDoubt(1.0, [cross])),
        "in doubt without a floor": snapshot(8, greedy, in_doubt=InDoubt(0.0, [CONSTANT_HASH])),
    }


def decisions() -> list[dict[str, Any]]:
    """Return what each policy makes of contexts, with some of the actions."""
    found = []
    for number, (name, one) in enumerate(policies().items()):
        for place, context in enumerate(CONTEXTS):
            if (number + place) % 2 and one.in_doubt is UNSET:
                continue  # half of the contexts will do
            actions = list(ACTIONS)[(number + place) % len(ACTIONS)]
            known, offered = read_context(context), read_actions(actions)
            shares = Policy(one).probabilities(known, offered)
            found.append(
                {
                    "policy": name,
                    "context": context,
                    "actions": actions,
                    "scores": Policy(one).scores(known, offered),
                    "probabilities": shares,
                    "draws": [[u, draw(shares, u)] for u in NUMBERS if clear(shares, u)],
                }
            )
    return found


def clear(shares: Sequence[float], u: float) -> bool:
    """Say whether the same action is drawn by probabilities that are a little off."""
    return len({draw([*(share + off for share in shares[:-1]), shares[-1]], u) for off in (-CLEAR, 0.0, CLEAR)}) == 1


def draws() -> list[dict[str, Any]]:
    """Return which index numbers draw from probabilities that are given to the bit."""
    shares = [
        [1.0], [0.25, 0.75], [0.0, 0.5, 0.0, 0.5], [0.5, 0.5, 0.0], [0.1] * 10, [0.1, 0.2, 0.3, 0.4], [0.5, 0.25],
        [5e-324, 0.0], [1 / 3, 1 / 3, 1 / 3], [1e-300, 1.0, 1e-300], [0.7, 0.1, 0.1, 0.1],
    ]  # fmt: skip
    numbers = [0.0, 5e-324, 0.1, 0.25, 0.3, 0.30000000000000004, 1 / 3, 0.5, 0.6, 2 / 3, 0.7, 0.8, 0.9, ALMOST_ONE]
    return [{"probabilities": one, "draws": [[u, draw(one, u)] for u in numbers]} for one in shares]


SMALL: Final = PolicySnapshot(
    model="feed",
    version=100,
    parent=90,
    features="",
    bits=8,
    context_crosses=False,
    shared_weights=False,
    constant_beside_numbers=True,
    exploration=Exploration("epsilon-greedy", 0.3),
    in_doubt=InDoubt(0.1, [0, 7]),
    bandit=Weights([3, 199], [-0.5, 0.75]),
    inverse_kinematics=Weights([7], [1.5]),
    configuration="",
)
"""What the records below are variations of."""
REMOVED: Final = object()
REFUSED: Final[dict[str, dict[str, Any]]] = {
    "another schema": {"schema_version": 2},
    "another kind": {"kind": "policies"},
    "another model": {"model": "shop"},
    "a member that is not known": {"temperature": 1},
    "a member that is not known, further in": {"exploration": {"kind": "squarecb", "parameter": 1, "least": 0.1}},
    "no bits": {"bits": REMOVED},
    "no weights at all": {"bandit": None},
    "no inverse kinematics, and not null": {"inverse_kinematics": REMOVED},
    "bits that are a text": {"bits": "8"},
    "0 bits": {"bits": 0},
    "33 bits": {"bits": 33},
    "crosses that are a number": {"context_crosses": 1},
    "an optional member that is null": {"constant_beside_numbers": None},
    "doubt that is null": {"in_doubt": None},
    "a version below 0": {"version": -1},
    "a version that is no integer": {"version": 100.5},
    "an index beyond the bits": {"bandit": {"indices": [3, 256], "values": [1.0, 2.0]}},
    "an index beyond 32 bits": {"bits": 32, "bandit": {"indices": [4294967296], "values": [1.0]}},
    "an index below 0": {"bandit": {"indices": [-1, 3], "values": [1.0, 2.0]}},
    "indices that descend": {"bandit": {"indices": [199, 3], "values": [1.0, 2.0]}},
    "an index twice": {"bandit": {"indices": [3, 3], "values": [1.0, 2.0]}},
    "fewer weights than indices": {"bandit": {"indices": [3, 199], "values": [1.0]}},
    "more weights than indices": {"bandit": {"indices": [3], "values": [1.0, 2.0]}},
    "a weight that is too large": {"bandit": {"indices": [3], "values": [1.5e100]}},
    "a weight that is null": {"bandit": {"indices": [3], "values": [None]}},
    "inverse kinematics beyond the bits": {"inverse_kinematics": {"indices": [256], "values": [1.0]}},
    "another exploration": {"exploration": {"kind": "thompson", "parameter": 0.5}},
    "epsilon above 1": {"exploration": {"kind": "epsilon-greedy", "parameter": 1.5}},
    "epsilon below 0": {"exploration": {"kind": "epsilon-greedy", "parameter": -0.1}},
    "gamma below 0": {"exploration": {"kind": "squarecb", "parameter": -1.0}},
    "gamma that is too large": {"exploration": {"kind": "squarecb", "parameter": 1e101}},
    "a temperature of 0": {"exploration": {"kind": "softmax", "parameter": 0.0}},
    "a temperature that is too small": {"exploration": {"kind": "softmax", "parameter": 1e-101}},
    "a floor above 1": {"in_doubt": {"floor": 7.0, "features": [0]}},
    "a floor below 0": {"in_doubt": {"floor": -0.1, "features": [0]}},
    "features in doubt that descend": {"in_doubt": {"floor": 0.1, "features": [7, 0]}},
    "a feature in doubt beyond 32 bits": {"in_doubt": {"floor": 0.1, "features": [4294967296]}},
    "a lineage that is null": {"lineage": None},
}
"""Documents whose checksum is right and by which nothing may be decided, by what is changed in a good one."""

Record = tuple[str | None, bytes | None, bytes | None]
"""Key, value and signature."""


def sealed(members: Mapping[str, Any]) -> bytes:
    """Return a document with a right checksum, whatever stands in it."""
    unsealed = {name: value for name, value in members.items() if name != "checksum"}
    text = json.dumps({**unsealed, "checksum": ""}, separators=(",", ":"), ensure_ascii=False).encode()
    return text[:-2] + sha256(text).hexdigest().encode() + b'"}'


def resealed(content: bytes) -> bytes:
    """Return a document that was changed with a right checksum."""
    before = content[:-66]
    return before + sha256(before + b'"}').hexdigest().encode() + b'"}'


def document(version: int, **changes: Any) -> bytes:
    """Return a small policy, as it lies on the topic."""
    return policy.encode(msgspec.structs.replace(SMALL, version=version, **changes))


def chunked(content: bytes, slot: int, pieces: int = 3, model: str = "feed") -> list[Record]:
    """Return the chunks of a document and their manifest; a worker's chunks are as large as a record may be."""
    size = -(-len(content) // pieces)
    records: list[Record] = [
        (f"{model}\0{slot}\0{number}", content[number * size : (number + 1) * size], None) for number in range(pieces)
    ]
    digest = sha256(content).hexdigest()
    return [*records, (model, manifest(slot=slot, chunks=pieces, sha256=digest), None)]


def manifest(**members: Any) -> bytes:
    """Return a manifest of chunks."""
    return json.dumps({"kind": "chunked", **members}, separators=(",", ":")).encode()


def signer(seed: int) -> Signer:
    """Return a signer by a key that is no secret."""
    key = Ed25519PrivateKey.from_private_bytes(bytes([seed] * 32))
    pem = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return Signer(key.private_bytes(*pem))


def signed(records: Sequence[Record], by: Signer, kind: Kind = "policies") -> list[Record]:
    """Return the records with signatures."""
    return [
        (key, value, by.headers(kind, 0, key.encode(), value)[0][1])
        for key, value, _ in records
        if key is not None and value is not None
    ]


def sequences() -> dict[str, tuple[str, list[Record], list[Signer]]]:
    """Return for each name the model, the records of the topic in their order, and by which keys they are believed."""
    good: Record = ("feed", document(100), None)
    newer: Record = ("feed", document(101), None)
    members = json.loads(document(200))
    whole, other = chunked(document(200), 1), chunked(document(300), 0)
    mine, theirs = signer(1), signer(2)
    spoilt = document(200).replace(b"0.75", b"0.76")
    plain: dict[str, list[Record]] = {
        "nothing": [],
        "one policy": [good],
        "a newer one": [good, newer],
        "an older one": [newer, good],
        "the same version again": [good, ("feed", document(100, bits=9), None)],
        "deleted": [good, ("feed", None, None), newer],
        "no key": [(None, document(100), None), good],
        "others' keys": [("other", b"{}", None), ("fee", document(100), None), ("feed\0x", b"x", None), good],
        "of an older worker": [
            ("feed", document(100, parent=None, constant_beside_numbers=UNSET, in_doubt=UNSET), None),
        ],
        "learned again": [("feed", document(100, lineage="2e0e"), None)],
        "without inverse kinematics": [("feed", document(100, inverse_kinematics=None), None)],
        "32 bits": [("feed", document(100, bits=32, bandit=Weights([0, 2**32 - 1], [1e100, -1e100])), None)],
        "a damaged weight": [good, ("feed", spoilt, None), newer],
        "a checksum of another": [good, ("feed", document(200)[:-66] + document(100)[-66:], None)],
        "no checksum": [good, ("feed", document(200)[:-66] + b'"}', None)],
        "cut off": [good, ("feed", document(200)[:-20], None)],
        "no policy at all": [good, ("feed", b"{", None)],
        "an empty value": [good, ("feed", b"", None)],
        "null": [good, ("feed", b"null", None)],
        "bytes that are no text": [good, ("feed", b"\xff\x00", None)],
        "a text in it that is no text": [
            good,
            ("feed", resealed(document(200).replace(b'"features":""', b'"features":"\xff"')), None),
        ],
        "a byte order mark": [good, ("feed", resealed(b"\xef\xbb\xbf" + document(200)), None)],
        "chunks": [good, *whole],
        "chunks of the one slot, then of the other": [*whole, *other],
        "chunks, then a small one": [*whole, ("feed", document(400), None)],
        "a chunk is missing": [good, *whole[1:]],
        "a chunk is of before": [
            good,
            *whole,
            *other[:1],
            *[(k and k.replace("\0000", "\0001"), v, s) for k, v, s in other[1:]],
        ],
        "chunks without their manifest": [good, *whole[:-1]],
        "a chunk comes after the manifest": [good, *whole[1:], whole[0], whole[-1]],
        "a chunk is deleted": [good, *whole[:-1], ("feed\0001\0000", None, None), whole[-1]],
        "a manifest of a slot that is none": [good, ("feed", manifest(slot=2, chunks=1, sha256="0" * 64), None)],
        "a manifest of no chunks": [good, ("feed", manifest(slot=0, chunks=0, sha256="0" * 64), None)],
        "a manifest of too many chunks": [good, ("feed", manifest(slot=0, chunks=1001, sha256="0" * 64), None)],
        "a manifest of no checksum": [good, ("feed", manifest(slot=0, chunks=1, sha256="0"), None)],
        "a manifest that lacks the slot": [good, ("feed", manifest(chunks=1, sha256="0" * 64), None)],
        "a manifest that is none": [good, ("feed", b'{"kind":"chunked"', None)],
        "chunks of a policy that is none": [good, *chunked(sealed({**members, "bits": 33}), 1)],
        **{f"refused: {name}": [("feed", variation(members, changes), None)] for name, changes in REFUSED.items()},
    }
    believed: dict[str, list[Record]] = {
        "signed": signed([good, newer], mine),
        "signed by nobody": [*signed([good], mine), newer],
        "signed by another": [*signed([good], mine), *signed([newer], theirs)],
        "a signature of another document": [*signed([good], mine), (*newer[:2], signed([good], mine)[0][2])],
        "a signature that is too short": [*signed([good], mine), (*newer[:2], b"x")],
        "signed, then deleted": [*signed([good], mine), ("feed", None, None), *signed([newer], mine)],
        "signed chunks": signed(whole, mine),
        "a chunk is not signed": [*signed(whole[:1], mine), whole[1], *signed(whole[2:], mine)],
        "a chunk is signed under another key": [
            *signed(whole[:1], mine), (*whole[1][:2], signed([("feed\0001\0002", whole[1][1], None)], mine)[0][2]),
            *signed(whole[2:], mine),
        ],
    }  # fmt: skip
    accented = document(100, model="café 🍰")
    return {
        **{name: ("feed", records, []) for name, records in plain.items()},
        **{name: ("feed", records, [mine]) for name, records in believed.items()},
        "one of two keys": ("feed", [*signed([good], theirs), *signed([newer], mine)], [mine, theirs]),
        "a name that is not ASCII": ("café 🍰", [("café 🍰", accented, None)], []),
        "chunks of a name that is not ASCII": ("café 🍰", chunked(accented, 0, 4, "café 🍰"), []),
    }


def variation(members: Mapping[str, Any], changes: Mapping[str, Any]) -> bytes:
    """Return a document with a right checksum and some members changed or removed."""
    return sealed({name: value for name, value in {**members, **changes}.items() if value is not REMOVED})


def read(model: str, records: Sequence[Record], trusted: Sequence[Signer]) -> dict[str, Any]:
    """Return what `groundswell` makes of a sequence of records."""
    newest = NewestSnapshot(model, Verifier(*(one.public_key for one in trusted)) if trusted else None)
    adopted = []
    for key, value, signature in records:
        headers = [] if signature is None else [("signature", signature)]
        adopted.append(newest.offer(None if key is None else key.encode(), value, headers))
    found = {"adopted": adopted, "refused": newest.refused}
    return {**found, "version": None if newest.snapshot is None else newest.snapshot.version}


def as_member(value: bytes | None) -> dict[str, str | None]:
    """Return how a record's value stands in the corpus."""
    try:
        return {"value": None if value is None else value.decode()}
    except UnicodeDecodeError:
        assert value is not None
        return {"value_base64": base64.b64encode(value).decode()}


def written(record: Record) -> dict[str, Any]:
    """Return a record as it stands in the corpus."""
    key, value, signature = record
    return {"key": key, **as_member(value), **({} if signature is None else {"signature": signature.hex()})}


def line(thing: object) -> str:
    """Return JSON on one line."""
    return json.dumps(thing, ensure_ascii=False, separators=(",", ":"))


def listed(lines: Sequence[str]) -> str:
    """Return a list with each item on a line of its own."""
    return "[\n" + ",\n".join(lines) + "\n]"


def mapped(members: Mapping[str, str]) -> str:
    """Return an object with each member, a JSON text, on a line of its own."""
    return "{\n" + ",\n".join(f"{line(name)}:{text}" for name, text in members.items()) + "\n}"


def corpus() -> dict[str, str]:
    """Return the content of each file of the corpus by its name."""
    decided = {
        "policies": mapped({name: line(policy.encode(one).decode()) for name, one in policies().items()}),
        "contexts": mapped(CONTEXTS),
        "actions": mapped(ACTIONS),
        "decisions": listed([line(one) for one in decisions()]),
    }
    records = [
        line(
            {
                "name": name,
                "model": model,
                "trusted": [one.public_key.decode() for one in trusted],
                "records": [written(record) for record in records],
                **read(model, records, trusted),
            }
        )
        for name, (model, records, trusted) in sequences().items()
    ]
    return {
        "decisions.json": mapped(decided) + "\n",
        "records.json": listed(records) + "\n",
        "draws.json": listed([line(one) for one in draws()]) + "\n",
    }


if __name__ == "__main__":
    for name, content in corpus().items():
        (FOLDER / name).write_text(content, encoding="utf-8")
