"""What people ask of a policy: the features and actions as they type them, and which policy is meant."""

from __future__ import annotations

import pytest

from groundswell.events import Action, FeatureValue
from groundswell.exploration import Exploration
from groundswell.features import crossed, hashed
from groundswell.policy import PolicySnapshot, Weights
from streams.inspection.published_policies import (
    EXAMPLES,
    AskedError,
    Published,
    actions_of,
    answers,
    chosen,
    context_of,
    in_words,
)


def snapshot(model: str = "feed", version: int = 7) -> PolicySnapshot:
    """Return a policy by which ann likes b."""
    return PolicySnapshot(
        model=model,
        version=version,
        parent=None,
        bits=18,
        context_crosses=False,
        shared_weights=False,
        exploration=Exploration("epsilon-greedy", 0.3),
        bandit=Weights([crossed(hashed("user=ann"), hashed("=b")) & (1 << 18) - 1], [0.75]),
        inverse_kinematics=None,
        configuration="c",
    )


@pytest.mark.parametrize(
    ("typed", "context"),
    [
        ([], {}),
        (["user=ann"], {"user": "ann"}),
        (["user=ann", "hour=7"], {"user": "ann", "hour": 7.0}),
        (["user=ann,hour=7,new=true"], {"user": "ann", "hour": 7.0, "new": True}),
        (['zip="01234"', "title=one, two"], {"zip": "01234", "title": "one, two"}),
        (["equation=a=b"], {"equation": "a=b"}),
        (["rate=-1.5e-3", "id=7b"], {"rate": -0.0015, "id": "7b"}),
        (['{"user": "ann", "hour": 7}'], {"user": "ann", "hour": 7}),
    ],
)
def test_a_context_is_read_as_it_is_typed(typed: list[str], context: dict[str, FeatureValue]) -> None:
    assert context_of(typed) == context


@pytest.mark.parametrize("typed", ["ann", "=ann", '{"user": ["ann"]}', '{"user":'])
def test_a_context_that_is_none_is_refused_by_its_option(typed: str) -> None:
    with pytest.raises(AskedError, match="--context"):
        context_of([typed])


def test_actions_are_ids_or_as_in_impressions() -> None:
    assert actions_of("a, b,c") == [Action("a"), Action("b"), Action("c")]
    assert actions_of('[{"id": "a", "features": {"price": 2}}]') == [Action("a", {"price": 2})]


@pytest.mark.parametrize("typed", ["", ",", "a,a", "[1]", "[]", "[" * 100_000, '[{"id": "\ud800"}]'])
def test_actions_that_are_none_are_refused(typed: str) -> None:
    with pytest.raises(AskedError, match="--actions"):
        actions_of(typed)


@pytest.mark.parametrize(
    ("typed", "example"),
    [('[{"id": "a", "features": "x"}]', """--actions '[{"id": "news"}"""), ("[{'id': 'a'}]", "--actions '[{")],
)
def test_actions_in_json_that_is_none_are_refused_with_an_example(typed: str, example: str) -> None:
    with pytest.raises(AskedError) as refused:
        actions_of(typed)
    assert typed in str(refused.value)
    assert example in str(refused.value)
    assert [action.id for action in actions_of(EXAMPLES["--actions"])] == ["news", "sport"]
    assert context_of([EXAMPLES["--context"]]) == {"user": "ann", "hour": 7}


def test_the_answer_is_what_an_app_would_do() -> None:
    found = answers(snapshot(), {"user": "ann"}, actions_of("a,b,c"))
    assert [one.action for one in found] == ["a", "b", "c"]
    assert [one.probability for one in found] == pytest.approx([0.1, 0.8, 0.1])
    assert [one.score for one in found] == [0.0, 0.75, 0.0]


def test_the_model_need_not_be_named_where_there_is_one() -> None:
    feed, mail = Published(snapshot(), 1), Published(snapshot("mail"), 2)
    assert chosen({"feed": feed}, None) is feed
    assert chosen({"feed": feed, "mail": mail}, "mail") is mail
    with pytest.raises(AskedError, match=r"policies of feed, mail: name one with --model"):
        chosen({"feed": feed, "mail": mail}, None)
    with pytest.raises(AskedError, match=r"no policy of 'shop'.*name one of those that there are: feed"):
        chosen({"feed": feed}, "shop")
    with pytest.raises(AskedError, match=r"no policy has been published yet.*groundswell doctor"):
        chosen({}, "feed")


def test_a_policy_is_told_in_words() -> None:
    lines = in_words(Published(snapshot(version=1_234), 1_000), 8_000)
    assert lines[0] == "feed, version 1,234, published 7 s ago"
    assert "  explores by epsilon-greedy, parameter 0.3" in lines
    assert any(line.startswith("  1 weight over 262,144 places") for line in lines)
