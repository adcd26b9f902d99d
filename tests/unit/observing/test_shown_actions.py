"""What is shown to whom: shares by segment, of the recent past, bounded."""

from __future__ import annotations

import pytest

from streams.observing.shown_actions import MEMORY, MOST_ACTIONS, MOST_LISTED, ROOM, ShownActions


def test_shares_are_of_all_and_of_each_segment() -> None:
    actions = ShownActions()
    actions.add({("news", "de", "1"): 3, ("sport", "de", "0"): 1, ("sport", "fr", "-1"): 4, ("sport", "fr", "1"): 2})
    shown = actions.shown(8)
    assert shown.segments == ["fr", "de"], "the commonest first"
    sport, news = shown.actions
    assert (sport.action, sport.share, sport.by_segment) == ("sport", 0.7, [1.0, 0.25])
    assert sport.states == pytest.approx([4 / 7, 1 / 7, 2 / 7, 0])
    assert (news.action, news.by_segment) == ("news", [0.0, 0.75])
    assert news.share == pytest.approx(0.3)
    assert shown.further == 0
    assert actions.shown(1).segments == ["fr"]


def test_nothing_was_shown_yet() -> None:
    shown = ShownActions().shown(8)
    assert (shown.segments, shown.actions, shown.further) == ([], [], 0.0)


@pytest.mark.parametrize("stretch", [1, 7, 500])
def test_what_was_shown_long_ago_does_not_count(stretch: int) -> None:
    actions = ShownActions()
    for _ in range(50):
        actions.add({("old", "", "1"): MEMORY // 10})
    for _ in range(0, 5 * MEMORY, stretch):
        actions.add({("new", "", "1"): stretch})
    new, old = actions.shown(1).actions
    assert (new.action, old.action) == ("new", "old")
    assert old.share == pytest.approx(0.0067, abs=0.002), "exp(-5)"


def test_a_stretch_of_any_length_leaves_nothing_of_what_was_before() -> None:
    actions = ShownActions()
    actions.add({("old", "", "1"): 1})
    actions.add({("new", "", "1"): 10**7})
    [new] = actions.shown(1).actions
    assert new.action == "new"
    assert new.share == pytest.approx(1)


def test_of_ever_new_actions_the_commonest_are_kept_and_the_others_summed_up() -> None:
    actions = ShownActions()
    for number in range(40 * MOST_ACTIONS):
        actions.add({("usual", f"s{number % 3}", "0"): 1, (f"once {number}", "s0", "1"): 1})
    assert len(actions._counts) <= ROOM
    shown = actions.shown(8)
    assert shown.actions[0].action == "usual"
    assert shown.actions[0].share == pytest.approx(0.5, abs=0.01)
    assert len(shown.actions) == MOST_LISTED
    assert sum(one.share for one in shown.actions) + shown.further == pytest.approx(1)
