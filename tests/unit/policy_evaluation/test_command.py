"""`groundswell evaluate-policy`: what it says of a log, and where it says that it cannot tell."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from groundswell.events import Action
from groundswell.exploration import Exploration
from groundswell.features import action_features, context_features, crossed
from groundswell.policy import PolicySnapshot, Weights, encode
from streams.cli import cli

MAPPING = """
model = "shop"
impression_id = "id"
occurred_at = { column = "at", unit = "ms" }
action = { column = "item", set = { column = "items" } }
propensity = { probabilities = "p" }
context = { user = "user" }
feedback = [{ signal_from = "signal", delay_ms = 1000 }]
"""
BARE = MAPPING.replace('{ probabilities = "p" }', '"q"')
ITEMS = ["tea", "milk", "salt"]
WORTHS = ("--worth", "like=1", "--worth", "dislike=-1")
AT = 1_700_000_000_000
Rows = list[dict[str, Any]]


class Said(NamedTuple):
    """How a command ended, and all that it printed."""

    code: int
    text: str


def rows(size: int, probabilities: list[float], seed: int = 1) -> Rows:
    """Return a log of people who like tea in 6 of 10 cases, dislike salt in 6 of 10, and do not care for milk."""
    rng = np.random.default_rng(seed)
    made = []
    for number in range(size):
        item = ITEMS[int(rng.choice(3, p=probabilities))]
        moved = rng.random() < 0.6
        signal = {"tea": "like", "salt": "dislike"}.get(item) if moved else None
        made.append(
            {
                "id": str(number), "at": AT + number, "item": item, "user": f"u{number % 4}", "signal": signal,
                "items": ITEMS, "p": probabilities, "q": probabilities[ITEMS.index(item)],
            }
        )  # fmt: skip
    return made


def evaluated(folder: Path, log: Rows, *options: str, mapping: str = MAPPING) -> Said:
    (folder / "log.jsonl").write_text("".join(json.dumps(row) + "\n" for row in log))
    return run(folder, "log.jsonl", *options, mapping=mapping)


def run(folder: Path, name: str, *options: str, mapping: str = MAPPING) -> Said:
    (folder / "mapping.toml").write_text(mapping)
    asked = ["evaluate-policy", str(folder / name), "--mapping", str(folder / "mapping.toml"), *options]
    ended = CliRunner().invoke(cli, asked)
    assert ended.exception is None or isinstance(ended.exception, SystemExit), ended.exception
    return Said(ended.exit_code, ended.output)


def plain(said: Said) -> dict[str, Any]:
    assert said.code == 0, said.text
    found: dict[str, Any] = json.loads(said.text)
    return found


def value_of(found: dict[str, Any], name: str) -> dict[str, Any]:
    return next(one for one in found["values"] if one["policy"] == name)


def policy_file(folder: Path, name: str, item: str, version: int = 0, model: str = "shop") -> str:
    """Write a policy that shows every user this item."""
    weights = {}
    for user in range(4):
        for key, _ in context_features({"user": f"u{user}"}, False)[1:]:
            for other, _ in action_features(Action(item)):
                weights[crossed(key, other) % (1 << 18)] = 1.0
    snapshot = PolicySnapshot(
        model=model, version=version, parent=None, bits=18, context_crosses=False, shared_weights=False,
        exploration=Exploration("epsilon-greedy", 0.0), bandit=Weights(sorted(weights), [1.0] * len(weights)),
        inverse_kinematics=None, configuration="",
    )  # fmt: skip
    (folder / f"{name}.json").write_bytes(encode(snapshot))
    return str(folder / f"{name}.json")


def test_values_are_those_of_the_people_and_their_intervals_hold_them(tmp_path: Path) -> None:
    tea = policy_file(tmp_path, "tea", "tea")
    found = plain(evaluated(tmp_path, rows(6_000, [0.3, 0.4, 0.3]), *WORTHS, "--policy", tea, "--json"))
    for name, truth in (("as logged", 0.0), ("random", 0.0), ("tea", 0.6)):
        one = value_of(found, name)
        assert one["low"] < truth < one["high"]
        assert one["snips"] == pytest.approx(truth, abs=0.05)
        assert one["doubts"] == []
    assert found["best_constant"]["policy"] == "always tea"
    assert found["best_constant"]["of"] == 3
    assert found["decisions"] == 6_000
    assert found["gaps"] == []


def test_the_text_says_what_the_log_cannot_speak_of_before_any_value_and_warns_of_the_best_of_many(
    tmp_path: Path,
) -> None:
    log = rows(2_000, [0.5, 0.5, 0.0])
    for row in log[:4]:
        row.update(item="salt", p=[0.45, 0.5, 0.05], q=0.05)
    said = evaluated(tmp_path, log, *WORTHS, "--by", "user")
    assert said.code == 0
    lines = said.text.splitlines()
    assert "this log cannot speak: fewer than 10 effective showings" in said.text
    assert "  salt: offered 2,000 times, shown 4" in lines
    assert lines.index("  salt: offered 2,000 times, shown 4") < next(
        number for number, line in enumerate(lines) if "SNIPS" in line
    )
    assert "always tea is the best of 2 and was chosen for how it looks" in said.text
    assert "look at this: random: 33% of what it would show is never shown there" in said.text


def test_segments_in_which_an_action_was_never_shown_are_named(tmp_path: Path) -> None:
    log = rows(2_000, [0.3, 0.4, 0.3])
    for row in log:
        if row["user"] == "u2" and row["item"] == "salt":
            row["item"] = "milk"
    said = evaluated(tmp_path, log, *WORTHS, "--by", "user")
    assert "nor, of 1 actions that it speaks of elsewhere, in these segments:" in said.text
    assert "  user=u2, salt: offered 500 times, shown 0" in said.text


def test_a_candidate_is_judged_beside_the_live_policy_in_words(tmp_path: Path) -> None:
    tea, salt = policy_file(tmp_path, "tea", "tea"), policy_file(tmp_path, "salt", "salt")
    log = rows(3_000, [0.3, 0.4, 0.3])
    better = evaluated(tmp_path, log, *WORTHS, "--policy", tea, "--live", salt)
    assert "tea beside salt: passes" in better.text
    assert "it is better than the live policy: after 3,000 interactions" in better.text
    worse = evaluated(tmp_path, log, *WORTHS, "--policy", salt, "--live", tea, "--margin", "0.1")
    assert "salt beside tea: refused" in worse.text
    same = evaluated(tmp_path, log, *WORTHS, "--policy", tea, "--live", tea)
    assert "tea beside tea: undecided" in same.text


def test_a_policy_that_has_learned_is_told_to_be_judged_on_what_came_later(tmp_path: Path) -> None:
    tea = policy_file(tmp_path, "tea", "tea", version=1_200)
    said = evaluated(tmp_path, rows(300, [0.3, 0.4, 0.3]), *WORTHS, "--policy", tea)
    assert "is judged too kindly by them, and these have learned from up to 1,200" in said.text


def test_rewards_are_what_the_decoder_infers_where_no_worths_are_given(tmp_path: Path) -> None:
    (tmp_path / "groundswell.toml").write_text('[models.shop]\ndefinitely_negative = ["dislike"]\n')
    configured = ("--config", str(tmp_path / "groundswell.toml"), "--json")
    found = plain(evaluated(tmp_path, rows(4_000, [0.3, 0.4, 0.3]), *configured))
    assert "what the decoder inferred along the way" in found["source"]
    assert found["best_constant"]["policy"] == "always tea"
    assert found["best_constant"]["low"] > 0
    assert any("could not tell what people felt" in remark for remark in found["remarks"])


def test_where_only_the_propensity_was_logged_the_same_is_found_less_surely(tmp_path: Path) -> None:
    log = rows(4_000, [0.3, 0.4, 0.3])
    full = plain(evaluated(tmp_path, log, *WORTHS, "--json"))
    bare = plain(evaluated(tmp_path, log, *WORTHS, "--json", mapping=BARE))
    for name in ("as logged", "random"):
        assert value_of(bare, name)["snips"] == pytest.approx(value_of(full, name)["snips"])
        assert value_of(bare, name)["low"] < 0 < value_of(bare, name)["high"]
    one, other = bare["best_constant"], full["best_constant"]
    assert one["high"] - one["low"] > other["high"] - other["low"]


def test_logged_probabilities_that_are_wrong_are_not_believed(tmp_path: Path) -> None:
    log = rows(4_000, [0.6, 0.3, 0.1])
    for row in log:
        row["p"] = [1 / 3, 1 / 3, 1 / 3]
    tea, salt = policy_file(tmp_path, "tea", "tea"), policy_file(tmp_path, "salt", "salt")
    for candidate, live in ((tea, salt), (salt, tea)):
        said = evaluated(tmp_path, log, *WORTHS, "--policy", candidate, "--live", live)
        assert "look at this: tea: weights have a mean of 1.8" in said.text
        assert "logged probabilities are not those that were acted by" in said.text
        assert f"{Path(candidate).stem} beside {Path(live).stem}: undecided" in said.text
        assert "it cannot be told" in said.text


def test_a_policy_of_another_model_is_told(tmp_path: Path) -> None:
    log = rows(300, [0.3, 0.4, 0.3])
    feed = policy_file(tmp_path, "feed", "tea", model="feed")
    said = evaluated(tmp_path, log, *WORTHS, "--policy", feed)
    assert "look at this: feed is a policy of the model 'feed', and these are decisions of 'shop'" in said.text
    assert (
        "is a policy of the model"
        not in evaluated(tmp_path, log, *WORTHS, "--policy", policy_file(tmp_path, "tea", "tea")).text
    )


def test_parquet_and_json_lines_of_the_same_rows_say_the_same(tmp_path: Path) -> None:
    log = rows(500, [0.3, 0.4, 0.3])
    found = plain(evaluated(tmp_path, log, *WORTHS, "--json"))
    pl.DataFrame(log).write_parquet(tmp_path / "log.parquet")
    other = plain(run(tmp_path, "log.parquet", *WORTHS, "--json"))
    assert other["values"] == found["values"]


def test_dsjson_is_read_as_replay_reads_it(tmp_path: Path) -> None:
    mapping = """
        format = "dsjson"
        model = "shop"
        action_id = "Item.id"
        signals = [{ signal = "like", above = 0 }, { signal = "dislike", below = 0 }]
    """
    offered = [{"Item": {"id": name}} for name in ITEMS]
    worth = {"like": 1.0, "dislike": -1.0}
    lines = []
    for row in rows(900, [0.3, 0.4, 0.3]):
        chosen = ITEMS.index(row["item"]) + 1
        ranking = [chosen, *(place for place in (1, 2, 3) if place != chosen)]
        lines.append(
            {
                "EventId": row["id"], "Timestamp": "2025-11-22T10:00:00.0000000Z", "a": ranking,
                "p": [row["p"][place - 1] for place in ranking], "c": {"_multi": offered},
                "o": [{"v": worth[row["signal"]]}] if row["signal"] else [],
            }
        )  # fmt: skip
    (tmp_path / "log.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    found = plain(run(tmp_path, "log.json", *WORTHS, "--json", mapping=mapping))
    assert found["decisions"] == 900
    assert found["best_constant"]["policy"] == "always tea"


def test_one_wrong_row_is_enough_for_nothing_to_be_said_unless_it_may_be_skipped(tmp_path: Path) -> None:
    log = rows(200, [0.3, 0.4, 0.3])
    log[5]["p"] = [0.9, 0.9, 0.9]
    stopped = evaluated(tmp_path, log, *WORTHS)
    assert stopped.code == 2
    assert "log.jsonl, line 6" in stopped.text
    assert "nothing is said of the rest" in stopped.text
    skipped = evaluated(tmp_path, log, *WORTHS, mapping=f'bad_rows = "skip"\n{MAPPING}')
    assert skipped.code == 0
    assert "left out, 1 row" in skipped.text
    assert "199 decisions" in skipped.text


def test_decisions_that_weigh_differently_are_refused(tmp_path: Path) -> None:
    log = rows(50, [0.3, 0.4, 0.3])
    for number, row in enumerate(log):
        row["w"] = 1.0 + number % 2
    said = evaluated(tmp_path, log, *WORTHS, mapping=f'weight = "w"\n{MAPPING}')
    assert said.code == 2
    assert "sub-sampled" in said.text


def test_signals_without_a_worth_and_feedback_beyond_the_wait_are_told(tmp_path: Path) -> None:
    log = rows(400, [0.3, 0.4, 0.3])
    late = MAPPING.replace("delay_ms = 1000", "delay_ms = 700000")
    said = evaluated(tmp_path, log, "--worth", "like=1")
    assert "signals without a worth count 0: dislike (" in said.text
    said = evaluated(tmp_path, log, *WORTHS, mapping=late)
    assert "beyond the wait (join.wait)" in said.text


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ((), "the configuration has no [models.shop]"),
        (("--worth", "like"), "a worth is SIGNAL=NUMBER"),
        (("--worth", "like=2"), "from -1 to 1"),
        (("--worth", "like=nan"), "from -1 to 1"),
        (("--worth", "=1"), "a worth is SIGNAL=NUMBER"),
        (("--model", "shop"), "give either a log"),
        ((*WORTHS, "--policy", "mapping.toml"), "holds no policy"),
    ],
)
def test_what_cannot_be_asked_is_told(
    options: tuple[str, ...], what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = evaluated(tmp_path, rows(20, [0.3, 0.4, 0.3]), *options)
    assert said.code == 2
    assert what in said.text


def test_a_log_of_which_nothing_has_a_reward_says_so(tmp_path: Path) -> None:
    said = evaluated(tmp_path, [], *WORTHS)
    assert said.code == 2
    assert "there is no decision with a reward" in said.text


def test_a_policy_whose_bytes_were_changed_is_refused_and_one_that_was_printed_is_not(tmp_path: Path) -> None:
    tea = Path(policy_file(tmp_path, "tea", "tea"))
    log = rows(100, [0.3, 0.4, 0.3])
    whole = json.loads(tea.read_text())
    tea.write_text(json.dumps({**whole, "version": 5}))
    assert "checksum" in evaluated(tmp_path, log, *WORTHS, "--policy", str(tea)).text
    tea.write_text(json.dumps({**whole, "checksum": ""}))  # as `policy show --json` prints it
    assert evaluated(tmp_path, log, *WORTHS, "--policy", str(tea)).code == 0
