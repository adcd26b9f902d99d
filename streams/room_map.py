"""The picture of the rooms in docs/architecture.md, drawn from what the code imports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from textwrap import fill
from typing import Final

FOLDERS: Final = ("experiments", "streams", "state", "processors", "groundswell")
BEGIN: Final = "<!-- rooms: made by `make docs` from the code's imports -->"
END: Final = "<!-- end of rooms -->"

Graph = Mapping[str, frozenset[str]]
"""What each room imports from; rooms are named as in an import (`processors.join`)."""


def imported_rooms() -> Graph:
    """Return, for each room of this checkout, the others of which it imports anything; needs the extra `dev`."""
    import grimp  # noqa: PLC0415  # only to draw

    graph = grimp.build_graph(*FOLDERS)
    rooms: dict[str, set[str]] = {}
    for module in graph.modules:
        room = room_of(module)
        imported = {room_of(one) for one in graph.find_modules_directly_imported_by(module)}
        rooms.setdefault(room, set()).update(imported - {room})
    return {room: frozenset(rooms[room] - set(FOLDERS) | rooms[room] & {"state", "groundswell"}) for room in rooms}


def room_of(module: str) -> str:
    """Return the room of a module: `processors.join` for `processors.join.fold`; a folder without rooms is one."""
    folder, *inner = module.split(".")
    return folder if not inner or folder in {"state", "groundswell"} else f"{folder}.{inner[0]}"


def reduced(graph: Graph) -> Graph:
    """Return the graph without the arrows that follow from others (its transitive reduction).

    Raises:
        graphlib.CycleError: there is a circle of rooms.
    """
    TopologicalSorter(graph).prepare()

    @cache
    def reached(room: str) -> frozenset[str]:
        return frozenset().union(*({one} | reached(one) for one in graph.get(room, ())))

    return {
        room: frozenset(one for one in to if not any(one in reached(other) for other in to))
        for room, to in graph.items()
    }


def longest_chain(graph: Graph, start: str) -> list[str]:
    """Return the longest way along the arrows from a room; of several the first by name."""

    @cache
    def longest(room: str) -> tuple[str, ...]:
        return (room, *max((longest(one) for one in sorted(graph.get(room, ()))), key=len, default=()))

    return list(longest(start))


def picture(graph: Graph) -> str:
    """Return the rooms as a Mermaid flow chart, one box a folder."""
    arrows = reduced(graph)
    rooms = sorted(room for room in graph if room not in FOLDERS or room in {"state", "groundswell"})
    lines = ["```mermaid", "flowchart TD"]
    for folder in FOLDERS:
        inside = [room for room in rooms if room_of(room).split(".")[0] == folder]
        if inside == [folder]:
            lines.append(f"  {_name(folder)}[{folder}]")
        else:
            lines += [
                f"  subgraph {folder}",
                *(f"    {_name(one)}[{one.partition('.')[2]}]" for one in inside),
                "  end",
            ]
    lines += [f"  {_name(room)} --> {_name(one)}" for room in rooms for one in sorted(arrows[room])]
    return "\n".join([*lines, "```"])


def with_rooms(text: str, graph: Graph) -> str:
    """Return a document with the picture and the longest chain between its two marks made anew."""
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    chain = " → ".join(f"`{room}`" for room in longest_chain(graph, "streams.worker"))
    sentence = (
        "An arrow says that something in the one room imports something of the other; those that follow from others "
        f"are left out. The longest way from what reads Kafka to the policy that apps read: {chain}."
    )
    return f"{before}{BEGIN}\n\n{picture(graph)}\n\n{fill(sentence, width=120)}\n\n{END}{after}"


def architecture(path: Path) -> str:
    """Return docs/architecture.md, which lies at `path`, with the rooms of the code as it is."""
    return with_rooms(path.read_text(), imported_rooms())


def _name(room: str) -> str:
    return room.replace(".", "_")
