"""The Covertype data as a context of tiles: Blackard & Dean's forest cells, 54 features, 7 classes."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from experiments.people.data_place import DataError, place_of

CLASSES: Final = 7
FEATURES, NUMERIC = 54, 10
FINE, COARSE, SOIL_BINS = 32, 12, 16


def path() -> Path:
    """Return where the data lies; raises `DataError` with where to get it."""
    return place_of(
        "covertype/covtype.csv.gz",
        "GROUNDSWELL_COVERTYPE",
        "take covtype.csv from the wheel scikit-multiflow==0.4.1 (skmultiflow/data/datasets) and name it",
    )


def load(place: Path) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
    """Return tiles (rows, active tiles), labels 0-6 (rows), and how many tiles there are.

    Tiles are quantile bins of each of the ten numeric features and of each pair of them, soil and wilderness
    types alone and with the elevation, and a constant.

    Raises:
        DataError: the file is no CSV of 54 numeric features and a class.
    """
    try:
        table = pl.read_csv(place).to_numpy()
        if table.shape[1] != FEATURES + 1 or table.dtype.kind not in "iuf":
            raise DataError(
                f"{place} has {table.shape[1]} columns, not {FEATURES} numbers and a class: take covtype.csv as it is"
            )
    except (pl.exceptions.PolarsError, OSError) as error:
        raise DataError(f"{place} is no CSV ({error}): take covtype.csv as it is, gzipped or not") from error
    numbers, label = table[:, :NUMERIC].astype(float), table[:, -1].astype(np.int64)
    wilderness = table[:, NUMERIC : NUMERIC + 4].argmax(axis=1)
    soil = table[:, NUMERIC + 4 : -1].argmax(axis=1)
    coarse = [_bins(numbers[:, i], COARSE) for i in range(NUMERIC)]
    elevation = _bins(numbers[:, 0], SOIL_BINS)
    columns = [(_bins(numbers[:, i], FINE), FINE) for i in range(NUMERIC)]
    columns += [(coarse[i] * COARSE + coarse[j], COARSE**2) for i, j in combinations(range(NUMERIC), 2)]
    columns += [(soil, 40), (wilderness, 4), (soil * SOIL_BINS + elevation, 40 * SOIL_BINS)]
    columns += [(wilderness * SOIL_BINS + elevation, 4 * SOIL_BINS), (np.zeros(len(label), dtype=np.int64), 1)]
    starts = np.concatenate(([0], np.cumsum([size for _, size in columns])))
    tiles = np.stack([column + start for (column, _), start in zip(columns, starts, strict=False)], axis=1)
    return tiles.astype(np.int32), label - label.min(), int(starts[-1])


def _bins(values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    edges = np.quantile(values, np.linspace(0, 1, count + 1)[1:-1])
    return np.searchsorted(edges, values, side="right").astype(np.int64)
