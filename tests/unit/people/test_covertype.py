from pathlib import Path

import numpy as np
import pytest

from experiments.people import covertype
from experiments.people.data_place import DataError


def test_tiles_tell_every_feature_apart(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = 200
    numbers = rng.normal(size=(rows, covertype.NUMERIC)).round(3)
    wilderness, soil = (
        np.eye(4, dtype=int)[rng.integers(4, size=rows)],
        np.eye(40, dtype=int)[rng.integers(40, size=rows)],
    )
    label = rng.integers(1, 8, size=(rows, 1))
    header = ",".join(f"c{i}" for i in range(55))
    place = tmp_path / "covtype.csv"
    np.savetxt(place, np.hstack((numbers, wilderness, soil, label)), delimiter=",", header=header, comments="")
    tiles, labels, size = covertype.load(place)
    assert tiles.shape == (rows, 60)
    assert labels.tolist() == (label[:, 0] - label.min()).tolist()
    assert tiles.max() < size
    assert all(np.all(tiles[:, i].max() < tiles[:, i + 1].min()) for i in range(59))


def test_missing_data_says_where_to_get_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GROUNDSWELL_COVERTYPE", str(tmp_path / "none.csv"))
    with pytest.raises(DataError, match="scikit-multiflow"):
        covertype.path()


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", ",".join("x" * 55) + "\n" + ",".join("y" * 55) + "\n"])
def test_what_is_not_the_data_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "covtype.csv").write_text(content)
    with pytest.raises(DataError, match=r"take covtype\.csv as it is"):
        covertype.load(tmp_path / "covtype.csv")
