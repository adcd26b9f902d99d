"""Posts of three news pages in 2016 and their readers' reactions (minimaxir/interactive-facebook-reactions)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.people.data_place import place_of
from groundswell.events import Action

PAGES: Final = {
    "Fox News": "foxnews",
    "Huffington Post": "huffingtonpost",
    "TIME": "time",
}
SIGNALS: Final = ("none", "like", "comment", "share", "love", "wow", "haha", "sad", "angry")
COLUMNS: Final = ("", *(f"num_{name}s" for name in SIGNALS[1:]))
EMISSIONS: Final = {
    "Fox News": (
        (0, 0, 0.634, 0, 0, 0.050, 0.082, 0, 0.234),
        (0.9, 0, 0, 0, 0, 0, 0, 0.1, 0),
        (0, 0.657, 0, 0.288, 0.056, 0, 0, 0, 0),
    ),
    "Huffington Post": (
        (0, 0, 0, 0, 0, 0.228, 0, 0.340, 0.432),
        (0.9, 0, 0.013, 0.078, 0, 0, 0.009, 0, 0),
        (0, 0.907, 0, 0.093, 0, 0, 0, 0, 0),
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


@dataclass(frozen=True)
class Day:
    """A page's ten posts of one day and the readers' state for each."""

    posts: list[Action]
    states: NDArray[np.int64]


def path() -> Path:
    """Return the folder of the data; raises `FileNotFoundError` with where to get it."""
    return place_of(
        "facebook_2016",
        "GROUNDSWELL_FACEBOOK",
        "clone minimaxir/interactive-facebook-reactions and name the folder of its *_facebook_statuses.csv.gz files",
    )


def days(place: Path, page: str, seed: int) -> list[Day]:
    """Return the page's days in order, ten random posts of each; days with fewer posts are left out."""
    table = pl.read_csv(place / f"{PAGES[page]}_facebook_statuses.csv.gz", infer_schema_length=None)
    rng = np.random.default_rng(seed)
    result = []
    dated = table.with_columns(table["status_published"].str.slice(0, 10).alias("day"))
    for _, posts in dated.sort("status_published").group_by("day", maintain_order=True):
        if len(posts) >= POSTS:
            rows = posts[sorted(rng.choice(len(posts), size=POSTS, replace=False).tolist())]
            result.append(Day([_post(row) for row in rows.iter_rows(named=True)], states(rows, page)))
    return result


def states(posts: pl.DataFrame, page: str) -> NDArray[np.int64]:
    """Return -1 for the post with most of the page's -1 reactions, +1 for that with most +1 ones, else 0."""
    negative, positive = (
        sum(
            posts[column].to_numpy().astype(float)
            for column, probability in zip(COLUMNS, EMISSIONS[page][row], strict=True)
            if column and probability > 0
        )
        for row in (0, 2)
    )
    result = np.zeros(len(posts), dtype=np.int64)
    result[np.argmax(negative)] = -1
    result[np.argmax(np.where(result == -1, -np.inf, positive))] = 1
    return result


def _post(row: dict[str, object]) -> Action:
    text = f"{row['link_name'] or ''} {row['status_message'] or ''}".lower()
    words = list(dict.fromkeys(re.findall(r"[a-z]{4,}", text)))[:WORDS]
    features = {f"word {word}": True for word in words}
    return Action(str(row["status_id"]), {"type": str(row["status_type"]), **features})
