"""What docs/architecture.md draws of the code is true: its rooms, the way of an impression, the files it sends to."""

from __future__ import annotations

import re
from graphlib import CycleError
from pathlib import Path

import grimp
import pytest

from streams.room_map import FOLDERS, picture, reduced, room_of

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "architecture.md").read_text()


def steps() -> list[tuple[int, str]]:
    """Return the depth and the module of each step on the way of an impression."""
    drawing = TEXT.split("## The way of an impression")[1].split("```")[1]
    return [
        (len(indent) // 2, path.removesuffix(".py").replace("/", "."))
        for indent, path in re.findall(r"^( *)(\S+\.py) ", drawing, re.MULTILINE)
    ]


def test_each_step_on_the_way_of_an_impression_is_imported_by_the_one_it_stands_under() -> None:
    graph = grimp.build_graph(*FOLDERS)
    above: dict[int, str] = {}
    for depth, module in steps():
        above[depth] = module
        if depth:
            assert module in graph.find_modules_directly_imported_by(above[depth - 1]), f"{above[depth - 1]}: {module}"
    assert len(steps()) >= 20


def test_no_step_leads_back_to_what_it_comes_from() -> None:
    graph = grimp.build_graph(*FOLDERS)
    above: dict[int, str] = {}
    for depth, module in steps():
        above[depth] = module
        for before in range(depth):
            assert not graph.find_shortest_chain(module, above[before]), f"{module} leads back to {above[before]}"


def test_the_way_passes_the_rooms_of_the_hot_path() -> None:
    """From the broker's bytes to the policy that apps read: none of these may be left out of the drawing."""
    rooms = [room_of(module) for _, module in steps()]
    expected = [
        "streams.app", "streams.worker", "streams.kafka", "processors.admission", "processors.join", "state",
        "processors.features", "processors.learners", "groundswell",
    ]  # fmt: skip
    assert [room for room in expected if room not in rooms] == []


@pytest.mark.parametrize(
    "path", sorted(set(re.findall(r"`((?:groundswell|processors|state|streams|experiments)/[\w./]+)`", TEXT)))
)
def test_every_file_that_is_named_is_there(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("folder", [folder for folder in FOLDERS if folder != "groundswell"])
def test_every_room_says_what_lives_there_and_what_to_read_first(folder: str) -> None:
    rooms = [ROOT / folder] + [path for path in (ROOT / folder).iterdir() if (path / "__init__.py").exists()]
    for room in rooms:
        text = (room / "__init__.py").read_text()
        assert text.startswith('"""'), room
        assert "ead first: `" in " ".join(text.split()), f"{room} does not say what to read first"
        assert room.name == folder or "ay import " in " ".join(text.split()), f"{room} does not say what it may import"
        for named in re.findall(r"`(\w+\.py)`", text):
            assert (room / named).exists() or (ROOT / folder / named).exists(), f"{room} has no {named}"


@pytest.mark.parametrize(
    ("module", "room"),
    [
        ("processors.join.fold", "processors.join"),
        ("processors.join", "processors.join"),
        ("streams.app", "streams.app"),
        ("streams.settings", None),
        ("state.join_journal", "state"),
        ("groundswell.policy", "groundswell"),
    ],
)
def test_a_module_is_in_the_room_of_its_folder(module: str, room: str | None) -> None:
    assert room_of(module) == room


def test_arrows_that_follow_from_others_are_not_drawn() -> None:
    graph = {"streams.a": frozenset({"streams.b", "state"}), "streams.b": frozenset({"state"}), "state": frozenset()}
    assert reduced(graph) == {**graph, "streams.a": frozenset({"streams.b"})}
    assert [line.strip() for line in picture(graph).splitlines() if "-->" in line] == [
        "streams_a --> streams_b",
        "streams_b --> state",
    ]


def test_a_circle_of_rooms_is_an_error() -> None:
    with pytest.raises(CycleError):
        reduced({"streams.a": frozenset({"streams.b"}), "streams.b": frozenset({"streams.a"})})
