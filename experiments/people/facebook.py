"""Posts of news pages in 2016 and their readers' reactions (minimaxir/interactive-facebook-reactions), or of any pages.

`GROUNDSWELL_FACEBOOK` names a folder with a page's posts in each `*_facebook_statuses.csv.gz`: where the paper's three
pages are among them, those three. Or it names a list of pages in TOML, whose files lie beside it:

    [[pages]]
    name = "CNN"
    statuses = "cnn_facebook_statuses.csv.gz"
    [pages.reactions]                          # optional: probabilities in each state
    "-1" = {angry = 0.6, sad = 0.4}
    "0" = {none = 0.9, haha = 0.1}
    "1" = {like = 0.8, love = 0.2}

Without `reactions` they are estimated from the page's totals (`reaction_probabilities.py`).
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import msgspec
import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.people.data_place import DataError, place_of
from experiments.people.reaction_probabilities import REACTIONS, Emissions, estimated
from groundswell.events import Action

PAPERS: Final = {"Fox News": "foxnews", "Huffington Post": "huffingtonpost", "TIME": "time"}
SUFFIX: Final = "_facebook_statuses.csv.gz"
HOW_TO_GET: Final = (
    f"clone minimaxir/interactive-facebook-reactions and name the folder of its *{SUFFIX}, or a list of pages,"
)
SIGNALS: Final = ("none", *REACTIONS)
COLUMNS: Final = tuple(f"num_{name}s" for name in REACTIONS)
STATES: Final = ("-1", "0", "1")
EMISSIONS: Final = {
    "Fox News": (
        (0, 0, 0.634, 0, 0, 0.050, 0.082, 0, 0.234),
        (0.9, 0, 0, 0, 0, 0, 0, 0.1, 0),
        (0, 0.657, 0, 0.288, 0.056, 0, 0, 0, 0),
    ),
    "Huffington Post": (
        (0, 0, 0, 0, 0, 0.228, 0, 0.340, 0.432),
        (0.9, 0, 0.013, 0.078, 0, 0, 0.009, 0, 0),
        (0, 0.907, 0, 0, 0.093, 0, 0, 0, 0),
    ),
    "TIME": (
        (0, 0, 0, 0, 0, 0.268, 0, 0.471, 0.261),
        (0.9, 0, 0, 0, 0, 0, 0.1, 0, 0),
        (0, 0.675, 0.068, 0.212, 0.044, 0, 0, 0, 0),
    ),
}
"""The authors' probabilities of the signals in the states -1, 0 and +1, fixed (ICLR 2023, Fig. 9)."""
POSTS: Final = 10
WORDS: Final = 12


_LISTED: Final = "name, statuses and perhaps reactions: {state: {signal: probability}}"


class _ListedPage(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    statuses: str
    reactions: dict[str, dict[str, float]] | None = None


class _List(msgspec.Struct, forbid_unknown_fields=True):
    pages: Annotated[list[_ListedPage], msgspec.Meta(min_length=1)]


@dataclass(frozen=True)
class Page:
    """A page: the file of its posts, and the probabilities of `SIGNALS` in the states -1, 0 and +1, (3, 9)."""

    name: str
    statuses: Path
    emissions: Emissions


@dataclass(frozen=True)
class Day:
    """A page's ten posts of one day and the readers' state for each."""

    posts: list[Action]
    states: NDArray[np.int64]


def pages(place: Path | None = None) -> tuple[Page, ...]:
    """Return the pages of a folder or list, without one those that the environment names.

    Raises:
        DataError: they are not there, the list is not one, or a page's probabilities are none.
    """
    return _pages(place or place_of("facebook_2016", "GROUNDSWELL_FACEBOOK", HOW_TO_GET))


@functools.cache
def _pages(place: Path) -> tuple[Page, ...]:
    if place.is_file():
        return tuple(_listed(one, place) for one in _list(place).pages)
    papers = {name: place / f"{stem}{SUFFIX}" for name, stem in PAPERS.items()}
    if all(path.is_file() for path in papers.values()):
        return tuple(Page(name, path, np.array(EMISSIONS[name], dtype=float)) for name, path in papers.items())
    found = sorted(place.glob(f"*{SUFFIX}"))
    if not found:
        raise DataError(f"no *{SUFFIX} in {place}: {HOW_TO_GET} in GROUNDSWELL_FACEBOOK")
    return tuple(Page(path.name.removesuffix(SUFFIX), path, _estimated(path)) for path in found)


def _list(place: Path) -> _List:
    try:
        return msgspec.toml.decode(place.read_bytes(), type=_List)
    except (msgspec.MsgspecError, ValueError) as error:
        raise DataError(f"{place} is no list of pages in TOML: {error}. Each of [[pages]] has {_LISTED}") from error


def _listed(page: _ListedPage, source: Path) -> Page:
    path = source.parent / page.statuses
    if not path.is_file():
        raise DataError(f"{source}: {page.name} has no {path}: `statuses` is a file beside the list")
    if page.reactions is None:
        return Page(page.name, path, _estimated(path))
    given = page.reactions
    strange = {name for row in given.values() for name in row} - set(SIGNALS)
    if set(given) != set(STATES) or strange:
        raise DataError(
            f"{source}: reactions of {page.name} has states {sorted(given)}, unknown are {sorted(strange)}: "
            f"name {', '.join(STATES)} and of {', '.join(SIGNALS)} those that come"
        )
    emissions = np.array([[given[state].get(name, 0.0) for name in SIGNALS] for state in STATES])
    if not (emissions.min() >= 0 and np.allclose(emissions.sum(axis=1), 1.0, atol=0.01)):
        raise DataError(f"{source}: reactions of {page.name} do not sum to 1 in each state: give probabilities")
    return Page(page.name, path, emissions / emissions.sum(axis=1, keepdims=True))


def _read(path: Path) -> pl.DataFrame:
    try:
        table = pl.read_csv(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{path} is no CSV of posts ({error}): {HOW_TO_GET} in GROUNDSWELL_FACEBOOK") from error
    missing = sorted({*COLUMNS, "status_published"} - set(table.columns))
    if missing or not all(table[name].dtype.is_numeric() for name in COLUMNS):
        raise DataError(f"{path}: a post has {', '.join(COLUMNS)} as numbers and status_published; missing {missing}")
    return table


def _estimated(path: Path) -> Emissions:
    try:
        return estimated(_read(path).select(COLUMNS).to_numpy().astype(float))
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error


def days(page: Page, seed: int) -> list[Day]:
    """Return the page's days in order, ten random posts of each; days with fewer posts are left out."""
    table = _read(page.statuses)
    rng = np.random.default_rng(seed)
    result = []
    dated = table.with_columns(table["status_published"].str.slice(0, 10).alias("day"))
    for _, posts in dated.sort("status_published").group_by("day", maintain_order=True):
        if len(posts) >= POSTS:
            rows = posts[sorted(rng.choice(len(posts), size=POSTS, replace=False).tolist())]
            result.append(Day([_post(row) for row in rows.iter_rows(named=True)], states(rows, page.emissions)))
    return result


def states(posts: pl.DataFrame, emissions: Emissions) -> NDArray[np.int64]:
    """Return -1 for the post with most of the page's -1 reactions, +1 for that with most +1 ones, else 0."""
    totals = posts.select(COLUMNS).to_numpy().astype(float)
    negative, positive = (totals[:, emissions[row, 1:] > 0].sum(axis=1) for row in (0, 2))
    result = np.zeros(len(posts), dtype=np.int64)
    result[np.argmax(negative)] = -1
    result[np.argmax(np.where(result == -1, -np.inf, positive))] = 1
    return result


def _post(row: dict[str, object]) -> Action:
    text = f"{row['link_name'] or ''} {row['status_message'] or ''}".lower()
    words = list(dict.fromkeys(re.findall(r"[a-z]{4,}", text)))[:WORDS]
    features = {f"word {word}": True for word in words}
    return Action(str(row["status_id"]), {"type": str(row["status_type"]), **features})
