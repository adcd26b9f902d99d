"""The picture of the rooms in docs/architecture.md, drawn from what the code imports."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Final

FOLDERS: Final = ("experiments", "streams", "state", "processors", "groundswell")
BEGIN: Final = "<!-- rooms: made by `make docs` from the code's imports -->"
END: Final = "<!-- end of rooms -->"

WITHOUT_ROOMS: Final = frozenset({"state", "groundswell"})
ROOT: Final = "streams.app"
PROJECT: Final = Path(__file__).parents[1]

Graph = Mapping[str, frozenset[str]]
"""What each room imports from; rooms are named as in an import (`processors.join`)."""


def imported_rooms() -> Graph:
    """Return, for each room of this checkout, the others of which it imports anything; needs the extra `dev`."""
    import grimp  # noqa: PLC0415  # only to draw

    graph = grimp.build_graph(*FOLDERS)
    rooms: dict[str, set[str]] = {}
    for module in graph.modules:
        if (room := room_of(module)) is not None:
            imported = {room_of(one) for one in graph.find_modules_directly_imported_by(module)}
            rooms.setdefault(room, set()).update(one for one in imported if one not in {room, None})
    return {room: frozenset(imported) for room, imported in rooms.items()}


def room_of(module: str) -> str | None:
    """Return the room of a module: `processors.join` for `processors.join.fold`.

    A folder without rooms is one, and so is the composition root. What else lies beside the rooms is in none.
    """
    folder, *inner = module.split(".")
    if folder in WITHOUT_ROOMS:
        return folder
    room = ".".join([folder, *inner[:1]])
    return room if room == ROOT or (inner and (PROJECT / folder / inner[0]).is_dir()) else None


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


def picture(graph: Graph) -> str:
    """Return the rooms as a Mermaid flow chart, one box a folder."""
    arrows = reduced(graph)
    rooms = sorted(graph)
    lines = ["```mermaid", "flowchart TD"]
    for folder in FOLDERS:
        inside = [room for room in rooms if room.split(".")[0] == folder]
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
    """Return a document with the picture between its two marks made anew."""
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    return f"{before}{BEGIN}\n\n{picture(graph)}\n\n{END}{after}"


def architecture(path: Path) -> str:
    """Return docs/architecture.md, which lies at `path`, with the rooms of the code as it is."""
    return with_rooms(path.read_text(), imported_rooms())


def _name(room: str) -> str:
    return room.replace(".", "_")
