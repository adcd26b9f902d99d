"""Mappings: what is refused, and that the error names the field."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from streams.replay.mapping import Mapping, MappingError
from streams.replay.mapping_file import SHIPPED, load_mapping, mapping_path
from tests.real_logs import PROJECT

GOOD = """
model = "news"
impression_id = "request"
propensity = "p"
occurred_at = { column = "at", unit = "s" }
action = { column = "article" }
context = { user = "user" }
feedback = [{ signal = "click", column = "clicked", delay_ms = 1_000 }]
"""


def written(folder: Path, text: str) -> Path:
    path = folder / "mapping.toml"
    path.write_text(text)
    return path


def test_short_forms_mean_the_long_ones(tmp_path: Path) -> None:
    mapping = load_mapping(written(tmp_path, GOOD))
    assert isinstance(mapping, Mapping)
    assert mapping.impression_id == ("request",)
    assert mapping.propensity.column == "p"
    assert mapping.context["user"].column == "user"
    assert mapping.action.set.distinct
    assert mapping.bad_rows == "stop"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('propensity = "p"', "", "`propensity` is missing"),
        (
            'feedback = [{ signal = "click", column = "clicked", delay_ms = 1_000 }]',
            'feedback = { signal = "click", column = "clicked", delay_ms = 1_000 }',
            "`feedback` must be a list: put [ ] around its { … }, or write [[feedback]] above it",
        ),
        ('{ column = "article" }', '"article"', '`action` is "article": must be a table, with column, index_from, '),
        ('{ user = "user" }', '["user"]', "`context` must be a table, of names that you choose: { NAME = … }"),
        (
            'propensity = "p"',
            'propensity = { estimate = "uniform" }',
            '`estimate` in [propensity] is "uniform": must be',
        ),
        (
            'propensity = "p"',
            "propensity = 1.5",
            "`constant` in [propensity] is 1.5: must be less than or equal to 1",
        ),
        (
            'propensity = "p"',
            'propensity = { column = "p", constant = 0.5 }',
            "[propensity] expected exactly one of",
        ),
        ('propensity = "p"', 'propensity = { probabilities = "p" }', "needs action.set.column"),
        ('unit = "s"', 'unit = "weeks"', '`unit` in [occurred_at] is "weeks": must be'),
        (', unit = "s"', "", "`unit` in [occurred_at] is missing"),
        ('impression_id = "request"', "impression_id = []", "`impression_id` must have at least 1 item"),
        (
            'model = "news"',
            'model = "news"\nmodle = 1',
            "toml:3: no setting `modle` at the top; did you mean `model`?",
        ),
        (", delay_ms = 1_000", "", "[feedback.0] expected exactly one of delay_ms, delay, at, got none"),
        (
            "delay_ms = 1_000",
            "delay_ms = -1",
            "`delay_ms` in [feedback.0] is -1: must be greater than or equal to 0",
        ),
        ("delay_ms = 1_000", "delay_ms = 1, above = 1, below = 2", "at most one condition, got above, below"),
        ('column = "clicked"', "above = 1", "[feedback.0] column: missing"),
        ('signal = "click"', 'signal = "none"', "the join writes it itself"),
        ('signal = "click"', 'signal_from = "x"', "signal_from: takes neither column nor condition"),
        ('"article"', '"article", set = { table = "items" }', "action.set.table: no [tables.items]"),
        (
            '"article"',
            '"article", features = { price = "price" }',
            "action.features.price: 'price' is not a column of",
        ),
        ('"article"', '"article", set = "all"', '`set` in [action] is "all"'),
        ('"article"', '"article", index_from = 0', "index_from: needs a set in an order of its own"),
        ('"article"', '"article", index_from = 2, set = ["a"]', "`index_from` in [action] is 2: must be 0 or 1"),
        ("delay_ms = 1_000", 'delay_ms = 1, separator = ","', "separator: divides the signals of signal_from"),
        ("model =", "model", "not valid TOML"),
    ],
)
def test_a_wrong_field_is_named(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in GOOD
    with pytest.raises(MappingError) as refused:
        load_mapping(written(tmp_path, GOOD.replace(old, new, 1)))
    assert complaint in str(refused.value)
    assert "mapping.toml" in str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ('user = "user"', 'x = "clicked"', "context.x: reads 'clicked', which says what came back (feedback.click)"),
        (
            'user = "user"',
            'x = "seconds"',
            "context.x: reads 'seconds', which says what came back (feedback.read.delay)",
        ),
        ('user = "user"', 'x = "worth"', "context.x: reads 'worth', which says what came back (feedback.read.value)"),
        ('user = "user"', 'x = "read_id"', "context.x: reads 'read_id', which says what came back (feedback.read.id)"),
        ('user = "user"', 'x = "left_at"', "context.x: reads 'left_at', which says what came back (feedback.left.at)"),
        ('user = "user"', 'x = "kind"', "context.x: reads 'kind', which says what came back (feedback.kind)"),
        ('user = "user"', 'x = { column = "kind", type = "category" }', "context.x: reads 'kind'"),
        ('user = "user"', 'x = "article"', "context.x: reads 'article', which says what was shown (action)"),
        ('user = "user"', 'x = "p"', "context.x: reads 'p', which says how likely it was to be shown (propensity)"),
        ('user = "user"', 'x = "request"', "context.x: reads 'request', which names the impression (impression_id)"),
        ('column = "article"', 'column = "request"', "action: reads 'request', of which impression_id takes"),
        ('column = "article"', 'column = "clicked"', "feedback.click: reads 'clicked', of which action takes"),
        ('propensity = "p"', 'propensity = "article"', "propensity: reads 'article', of which action takes"),
        ('column = "clicked"', 'column = "request"', "feedback.click: reads 'request', of which impression_id takes"),
        ('column = "clicked"', 'column = "article"', "feedback.click: reads 'article', of which action takes"),
    ],
)
def test_a_column_that_tells_what_is_not_known_yet_is_no_feature_and_says_one_thing(
    tmp_path: Path, old: str, new: str, complaint: str
) -> None:
    more = """delay_ms = 1_000 },
  { signal = "read", column = "read", delay = { column = "seconds", unit = "s" }, value = "worth", id = "read_id" },
  { signal = "left", column = "left", at = { column = "left_at", unit = "s" } },
  { signal_from = "kind", delay_ms = 1 }"""
    good = GOOD.replace("delay_ms = 1_000 }", more)
    assert old in good
    load_mapping(written(tmp_path, good))
    with pytest.raises(MappingError) as refused:
        load_mapping(written(tmp_path, good.replace(old, new, 1)))
    assert complaint in str(refused.value)


def test_parts_of_an_id_are_features_and_feedback_may_have_the_impressions_id_and_time(tmp_path: Path) -> None:
    several = GOOD.replace('"request"', '["user", "at", "article"]')
    assert load_mapping(written(tmp_path, several)).model
    shared = 'id = "request", at = { column = "at", unit = "s" }'
    hour = GOOD.replace("delay_ms = 1_000", shared).replace('user = "user"', 'user = "user", hour = "at"')
    assert load_mapping(written(tmp_path, hour)).model


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match=r"nowhere\.toml: cannot be read"):
        load_mapping(tmp_path / "nowhere.toml")


def test_one_signal_is_declared_once(tmp_path: Path) -> None:
    twice = GOOD.replace("delay_ms = 1_000 }", 'delay_ms = 1 }, { signal = "click", column = "x", delay_ms = 1 }')
    with pytest.raises(MappingError, match="'click' is declared twice"):
        load_mapping(written(tmp_path, twice))


@pytest.mark.parametrize("shipped", sorted(SHIPPED.glob("*.toml")), ids=lambda p: p.stem)
def test_shipped_mappings_load(shipped: Path) -> None:
    assert load_mapping(mapping_path(shipped.stem)).model


def test_a_mapping_that_is_neither_a_file_nor_shipped_is_told_which_are(tmp_path: Path) -> None:
    with pytest.raises(MappingError, match="kuairand-pure, open-bandit"):
        mapping_path(str(tmp_path / "mine.toml"))


def test_the_examples_of_the_manual_load(tmp_path: Path) -> None:
    manual = (PROJECT / "docs" / "replay.md").read_text()
    blocks = [block for block in re.findall(r"```toml\n(.*?)```", manual, re.DOTALL) if "[models." not in block]
    # Of a mapping whose feedback lies in a file of its own only that part is shown.
    whole = [block if "model =" in block else GOOD.partition("feedback =")[0] + block for block in blocks]
    assert len(whole) == 3
    for example in whole:
        assert load_mapping(written(tmp_path, example)).model == "news"


def test_columns_are_listed_with_the_field_that_reads_them() -> None:
    declared: dict[str, Any] = {
        "model": "news",
        "impression_id": ["user", "at"],
        "occurred_at": {"column": "at", "unit": "iso"},
        "action": {"column": "article"},
        "propensity": {"estimate": "action_frequency"},
        "context": {"age": "users.age"},
        "feedback": [{"signal": "click", "column": "clicked", "at": {"column": "clicked_at", "unit": "s"}}],
        "tables": {"users": {"path": "users.csv", "key": "id", "on": "user"}},
    }
    mapping = Mapping.model_validate(declared)
    columns = list(mapping.row_columns())
    assert ("context.age", "users.age") in columns
    assert ("feedback.click.at", "clicked_at") in columns
    assert mapping.table_of("users.age") == "users"
    assert mapping.table_of("nested.age") is None


def test_a_list_whose_items_are_wrong_is_not_called_empty(tmp_path: Path) -> None:
    with pytest.raises(MappingError) as refused:
        load_mapping(written(tmp_path, GOOD.replace("delay_ms = 1_000", "delay_ms = -1")))
    assert "`delay_ms` in [feedback.0] is -1" in str(refused.value)
    assert "at least 1 item" not in str(refused.value)
