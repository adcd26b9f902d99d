"""Changes to a document that is a tree of lists and dictionaries, some by the types that its members have."""

from __future__ import annotations

import copy
import json
import struct
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

import msgspec
from msgspec import inspect

from experiments.fuzz.drawn import NUMBERS, ODD, TEXTS, drawn, member

Place = tuple[Any, ...]
"""The way to something in a tree: keys and indices."""
FLOATS: Final = tuple(struct.pack("<d", float(one)) for one in NUMBERS if isinstance(one, float))
MOST_REPEATED: Final = 300


def places(tree: Any, place: Place = ()) -> Iterator[Place]:
    """Yield the way to everything in a tree, itself first."""
    yield place
    members = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in members:
        yield from places(value, (*place, key))


class Mutation:
    """Changes to one tree, which lies in a list of its own, so that its root lies in something, too.

    `kind` is the type that it should have, `words` are values that mean something in it.
    """

    def __init__(self, tree: Any, kind: inspect.Type | None, rng: Random, words: Sequence[Any] = ()) -> None:
        self.tree = [copy.deepcopy(tree)]
        self._kind, self._rng = kind, rng
        self._odd = (*ODD, *words)

    def change(self) -> None:
        """Change something."""
        there = [place for place in places(self.tree) if place]
        if there:
            place = self._rng.choice(there)
            self._rng.choice(_CHANGES)(self, at(self.tree, place[:-1]), place)

    def redraw(self, holder: Any, place: Place) -> None:
        """Draw it anew, of the type that it has."""
        found = self._type_of(place)
        holder[place[-1]] = self._any() if found is None else drawn(found, self._rng)

    def be_odd(self, holder: Any, place: Place) -> None:
        """Put something else in its place."""
        holder[place[-1]] = self._any()

    def be_near(self, holder: Any, place: Place) -> None:
        """Put something in its place that is nearly the same."""
        old, key, rng = holder[place[-1]], place[-1], self._rng
        match old:
            case bool():
                holder[key] = not old
            case int():
                holder[key] = old + rng.choice((-1, 1, 255, -256, -2 * old))
            case float():
                holder[key] = rng.choice((-old, old * 1e30, old / 1e30, old + 1))
            case str():
                where = rng.randint(0, len(old))
                holder[key] = old[:where] + rng.choice(TEXTS) + old[where + rng.randint(0, 2) :]
            case bytes():
                holder[key] = mutated_bytes(old, rng)
            case list():
                rng.shuffle(old)
            case dict() if old:
                old[self._name()] = old.pop(rng.choice(list(old)))

    def insert(self, holder: Any, place: Place) -> None:
        """Put something more into it, a member that it may have where its type says which."""
        held, found = holder[place[-1]], self._type_of(place)
        if isinstance(held, dict):
            if isinstance(found, inspect.StructType) and not found.array_like:
                field = self._rng.choice(found.fields)
                held[field.encode_name] = drawn(field.type, self._rng)
            else:
                held[self._name()] = self._any()
        elif isinstance(held, list):
            held.insert(self._rng.randint(0, len(held)), self._any())

    def delete(self, holder: Any, place: Place) -> None:
        """Take it out."""
        if place != (0,):
            del holder[place[-1]]

    def copy_from_elsewhere(self, holder: Any, place: Place) -> None:
        """Put what lies elsewhere in its place."""
        elsewhere = self._rng.choice([other for other in places(self.tree) if other])
        holder[place[-1]] = copy.deepcopy(at(self.tree, elsewhere))

    def repeat(self, holder: Any, place: Place) -> None:
        """Have it several times, or many times."""
        key, times = place[-1], self._rng.choice((1, 2, 17, MOST_REPEATED))
        if isinstance(holder, list) and place != (0,):
            holder[key:key] = [copy.deepcopy(holder[key]) for _ in range(times)]
        elif isinstance(holder, dict):
            for number in range(times):
                holder[f"{key}{number}"] = copy.deepcopy(holder[key])

    def wrap(self, holder: Any, place: Place) -> None:
        """Nest it deeper."""
        for _ in range(self._rng.choice((1, 1, 3, 200))):
            holder[place[-1]] = [holder[place[-1]]] if self._rng.random() < 0.5 else {"x": holder[place[-1]]}

    def _type_of(self, place: Place) -> inspect.Type | None:
        found = self._kind
        for key in place[1:]:
            found = member(found, key)
        return found

    def _any(self) -> Any:
        return copy.deepcopy(self._rng.choice(self._odd))

    def _name(self) -> str:
        return str(self._rng.choice([one for one in self._odd if isinstance(one, str)]))


_CHANGES: Final[Sequence[Callable[[Mutation, Any, Place], None]]] = (
    Mutation.redraw, Mutation.redraw, Mutation.redraw, Mutation.be_odd, Mutation.be_odd, Mutation.be_near,
    Mutation.be_near, Mutation.insert, Mutation.delete, Mutation.copy_from_elsewhere, Mutation.repeat, Mutation.wrap,
)  # fmt: skip


def mutated_tree(tree: Any, kind: inspect.Type | None, rng: Random, words: Sequence[Any] = ()) -> Any:
    """Return a tree with one to four things in it changed."""
    mutation = Mutation(tree, kind, rng, words)
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        mutation.change()
    return mutation.tree[0]


def at(tree: Any, place: Place) -> Any:
    """Return what lies at a place."""
    for key in place:
        tree = tree[key]
    return tree


def mutated_bytes(content: bytes, rng: Random) -> bytes:
    """Return bytes with some of them changed, where they are numbers of eight bytes mostly one of these."""
    if len(content) >= 8 and rng.random() < 0.6:
        where = 8 * rng.randrange(len(content) // 8)
        return content[:where] + rng.choice(FLOATS) + content[where + 8 :]
    begin = rng.randint(0, len(content))
    end = min(len(content), begin + rng.randint(0, 9))
    return content[:begin] + rng.randbytes(rng.choice((0, 1, 1, 8))) + content[end:]


def as_json(tree: Any, rng: Random) -> bytes:
    """Return a tree as JSON, as one library or another writes it; what JSON cannot hold as its text."""
    text = json.dumps(
        tree, ensure_ascii=rng.random() < 0.5, separators=rng.choice(((",", ":"), (", ", ": "))), default=str
    )
    return text.encode("utf-8", "surrogatepass")


def from_json(content: bytes) -> Any:
    """Return the tree in a text of JSON. Raises `ValueError` where there is none."""
    try:
        return json.loads(content.decode("utf-8", "surrogatepass"))
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def from_msgpack(content: bytes) -> Any:
    """Return the tree in msgpack. Raises `ValueError` where there is none."""
    try:
        return msgspec.msgpack.decode(content, strict=False)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError, TypeError) as error:
        raise ValueError("not msgpack") from error


def mutated_json(content: bytes, kind: inspect.Type | None, rng: Random, words: Sequence[Any] = ()) -> bytes | None:
    """Return a document in JSON with something in it changed, None where it is none."""
    try:
        return as_json(mutated_tree(from_json(content), kind, rng, words), rng)
    except (ValueError, RecursionError):
        return None


def mutated_lines(content: bytes, rng: Random, change: Callable[[bytes], bytes]) -> bytes:
    """Return lines with one of them changed, or more, fewer, or in another order."""
    lines = content.split(b"\n")
    place = rng.randrange(len(lines))
    match rng.randrange(10):
        case 0:
            lines.insert(place, lines[place])
        case 1 if len(lines) > 1:
            del lines[place]
        case 2:
            rng.shuffle(lines)
        case _:
            lines[place] = change(lines[place])
    return b"\n".join(lines)
