"""What a single producer can move, by one interaction or by some dozens: next to nothing."""

import numpy as np
import pytest

from experiments.people.three_state import ThreeStateUsers
from groundswell.events import Action, Features, Interaction
from processors.learners import influence, running_totals
from processors.learners.learner import Learner
from processors.learners.learner_choice import learner_for, restored_learner
from processors.models.config import ModelConfig
from processors.wire.packed_arrays import packed
from tests.unit.rounds import ACTIONS, interaction, uniform_log

DEFAULT = ModelConfig(name="feed", definitely_negative=frozenset({"dislike"}))
PAPERS = ModelConfig.model_validate(
    {"name": "feed", "definitely_negative": ["dislike"], "reward": {"rule": "iclr", "alpha": 0.2}}
)
both_kinds = pytest.mark.parametrize("model", [DEFAULT, PAPERS], ids=["three-state", "iclr"])
LOG = uniform_log(2_000)
NEWCOMERS = 24
GIANT = interaction(
    10**6,
    context={f"g{i}": 1.0 for i in range(1_000)},
    actions=[Action(f"b{i}") for i in range(1_900)],
    chosen=7,
    propensity=1e-9,
    signals=["click"],
)
HEAVY = [
    interaction(
        10**6 + i,
        context={f"g{200 * i + j}": 1.0 for j in range(200)},
        actions=[Action(f"b{j}") for j in range(200)],
        chosen=i,
        signals=[signal],
        weight=1e9,
    )
    for i, signal in enumerate(("click", "dislike", "skip") * 4)
]


def newcomers(count: int) -> tuple[ThreeStateUsers, list[Interaction]]:
    """Return people whom nobody has met, and what they do where actions are drawn uniformly."""
    people = ThreeStateUsers(NEWCOMERS, len(ACTIONS), 0.3, seed=5)
    rng, log = np.random.default_rng(6), []
    for number in range(count):
        who, chosen = number % NEWCOMERS, int(rng.integers(len(ACTIONS)))
        signal = people.signal(who, chosen)
        log.append(interaction(number, context={"user": f"new{who}"}, chosen=chosen, signals=[signal]))
    return people, log


def best_first(learner: Learner, people: ThreeStateUsers) -> int:
    """Return for how many people what they enjoy is ranked first."""
    found = 0
    for who in range(NEWCOMERS):
        found += people.states[who, learner.scores({"user": f"new{who}"}, ACTIONS).argmax()] == 1
    return found


@both_kinds
@pytest.mark.parametrize("attack", [[GIANT], HEAVY], ids=["one giant", "a dozen heavy ones"])
@pytest.mark.parametrize("before", [0, 300], ids=["first of all", "on a young model"])
def test_neither_one_giant_impression_nor_a_dozen_heavy_ones_keep_newcomers_from_their_best_action(
    model: ModelConfig, attack: list[Interaction], before: int
) -> None:
    people, log = newcomers(2_000)
    attacked, left_alone = learner_for(model), learner_for(model)
    for learner, between in ((attacked, attack), (left_alone, [])):
        learner.learn([*LOG[:before], *between, *log])
    assert best_first(attacked, people) >= best_first(left_alone, people) - 1
    assert best_first(left_alone, people) >= 20


def test_one_giant_impression_leaves_next_to_nothing_of_its_squares_in_any_row() -> None:
    learner = learner_for(PAPERS)
    learner.learn(LOG[:300])
    before = learner._tables["inverse_kinematics"][:, 1].copy()
    learner.learn([GIANT])
    touched = learner._tables["inverse_kinematics"][:, 1] - before
    assert (touched > 0).mean() > 0.9
    assert touched.max() < 0.05  # one ordinary interaction adds a quarter to each of its rows


def named(count: int, names: int, of: int) -> list[Interaction]:
    """Return ordinary impressions, each with so many names of features `of` a number that nobody else uses."""
    rng = np.random.default_rng(3)
    contexts: list[Features] = [
        {"user": "u0", **{f"n{name}": 1.0 for name in rng.integers(of, size=names).tolist()}} for _ in range(count)
    ]
    return [interaction(10**6 + i, context=one) for i, one in enumerate(contexts)]


@both_kinds
@pytest.mark.parametrize("of", [10**9, 500], ids=["each new", "the same again"])
def test_impressions_with_many_new_names_hardly_move_the_exploration(model: ModelConfig, of: int) -> None:
    attacked, left_alone = learner_for(model), learner_for(model)
    attacked.learn([*LOG[:1_500], *named(66, 500, of), *LOG[1_500:]])
    left_alone.learn(LOG)
    assert left_alone.exploration.parameter < 0.25
    assert attacked.exploration.parameter < 1.1 * left_alone.exploration.parameter


@both_kinds
@pytest.mark.parametrize("of", [10**9, 500], ids=["each new", "the same again"])
def test_in_a_models_first_stretch_each_impression_lets_one_name_count_until_the_second_one_ends(
    model: ModelConfig, of: int
) -> None:
    liars, people = 66, 3
    attacked, left_alone = learner_for(model), learner_for(model)
    attacked.learn([*LOG[:400], *named(liars, 500, of), *LOG[400:1_000]])
    left_alone.learn(LOG[:1_000])
    most = ((people + liars) / people) ** (1 / 3) * left_alone.exploration.parameter
    assert 0.9 * most < attacked.exploration.parameter < most
    later = uniform_log(1_200, seed=1)
    attacked.learn(later)
    left_alone.learn(later)
    assert attacked.exploration.parameter < 1.1 * left_alone.exploration.parameter


def test_names_that_come_in_each_stretch_count_once_for_each_impression_that_brings_one() -> None:
    learner = learner_for(DEFAULT)
    for begin in range(0, 8_000, 1_000):
        learner.learn([*uniform_log(990, seed=begin), *named(10, 500, 500)])
    features = learner._totals[running_totals.CONTEXT_FEATURES]
    assert features <= 1 + 3 + 40  # the constant, the people, and the names of the four times ten of a stretch


@both_kinds
def test_a_session_id_in_every_context_is_not_explored_for(model: ModelConfig) -> None:
    learner = learner_for(model)
    for i, one in enumerate(uniform_log(8_000)):
        context = {**one.impression.context, "session": f"s{i // 5}"}
        shown = one.impression
        learner.learn([interaction(i, context=context, chosen=shown.chosen, signals=one.signals)])
    assert learner.exploration.parameter < 0.2


@both_kinds
def test_impressions_among_very_many_actions_hardly_move_the_exploration(model: ModelConfig) -> None:
    many = [Action(f"b{i}") for i in range(1_900)]
    attacked, left_alone = learner_for(model), learner_for(model)
    attacked.learn([*LOG[:1_500], *[interaction(10**6 + i, actions=many) for i in range(20)], *LOG[1_500:]])
    left_alone.learn(LOG)
    assert attacked.exploration.parameter < 1.1 * left_alone.exploration.parameter


@both_kinds
@pytest.mark.parametrize("propensity", [0.2, 1e-9])
def test_outliers_spoil_neither_log_loss_nor_mean_nor_effective_weight(model: ModelConfig, propensity: float) -> None:
    outliers = [
        interaction(10**6 + i, chosen=i % 5, propensity=propensity, weight=1e9, signals=["dislike", "click"][i % 2 :])
        for i in range(12)
    ]
    attacked, left_alone = learner_for(model), learner_for(model)
    attacked.learn([*LOG[:1_500], *outliers, *LOG[1_500:]])
    left_alone.learn(LOG)
    spoilt, honest = attacked.statistics, left_alone.statistics
    assert abs(spoilt.ik_log_loss / spoilt.weights - honest.ik_log_loss / honest.weights) < 0.3
    assert spoilt.weights / spoilt.learned == pytest.approx(1.0, abs=0.2)
    assert spoilt.weights**2 / spoilt.squared_weights / spoilt.learned > 0.2
    assert (spoilt.cut, honest.cut) == (12, 0)


def test_what_comes_after_outliers_is_still_seen_in_the_sums() -> None:
    """Beside 10^18 an interaction of weight 1 would be lost to rounding."""
    learner = learner_for(DEFAULT)
    learner.learn([interaction(10**6, weight=1e9, propensity=1e-9), *LOG[:100]])
    before = learner.statistics
    learner.learn([LOG[100]])
    assert learner.statistics.weights - before.weights == pytest.approx(1.0)


@both_kinds
def test_a_log_that_is_sub_sampled_throughout_is_soon_learned_with_its_own_weights(model: ModelConfig) -> None:
    learner = learner_for(model)
    log = uniform_log(1_000)
    heavy = [
        interaction(
            i, context=one.impression.context, chosen=one.impression.chosen, signals=one.signals, weight=1_000.0
        )
        for i, one in enumerate(log)
    ]
    rewards = learner.learn(heavy)
    assert learner.statistics.cut < 400
    assert all(reward is not None and reward.weight == 1_000.0 for reward in rewards[-500:])


def test_the_weights_of_the_models_own_exploration_are_not_cut() -> None:
    """Five actions and one person are the smallest problem: its epsilon falls first."""
    totals, rng, actions = np.zeros(learner_for(DEFAULT).totals), np.random.default_rng(1), 5
    for t in range(1, 20_000):
        epsilon = min(1.0, (actions / t) ** (1 / 3))
        greedy = 1 - epsilon + epsilon / actions
        propensity = greedy if rng.random() < greedy else epsilon / actions
        weight = 1 / (actions * propensity)
        assert influence.cut_weight(totals, weight) == weight


def test_sixty_lies_in_a_row_do_not_let_each_other_in() -> None:
    totals = np.zeros(learner_for(DEFAULT).totals)
    for _ in range(150):
        influence.cut_weight(totals, 1.0)
    lies = [influence.cut_weight(totals, 1e9) for _ in range(60)]
    assert lies == sorted(lies), "a log that goes on so is believed in the end"
    assert lies[-1] < 5 * lies[0]


@pytest.mark.parametrize("value", [1e4, -1e9])
def test_a_number_far_beyond_all_others_leaves_those_their_say(value: float) -> None:
    """Who likes what depends on a number alone; some impressions have it a million times as large."""
    rng = np.random.default_rng(4)

    def round_(number: int) -> Interaction:
        x, chosen = float(rng.choice([-1.0, 1.0])), int(rng.integers(2))
        signal = "click" if (x > 0) == (chosen == 0) else "dislike"
        return interaction(number, context={"age": x}, actions=ACTIONS[:2], chosen=chosen, signals=[signal])

    learner = learner_for(DEFAULT)
    learner.learn([round_(i) for i in range(300)])
    outliers = [
        interaction(i, context={"age": value}, actions=ACTIONS[:2], chosen=i % 2, signals=["dislike"])
        for i in range(20)
    ]
    learner.learn(outliers)
    learner.learn([round_(i) for i in range(300)])
    for x in (-1.0, 1.0):
        assert learner.scores({"age": x}, ACTIONS[:2]).argmax() == (0 if x > 0 else 1)


@both_kinds
def test_a_state_of_before_there_were_bounds_goes_on(model: ModelConfig) -> None:
    learner = learner_for(model)
    learner.learn(LOG)
    state = learner.state()
    older = {**state, "seen": packed(np.full((1 << 16) // 8, 1, dtype=np.uint8))}
    older["totals"] = packed(learner._totals[: -running_totals.LATER_TOTALS])
    older["statistics"] = {key: one for key, one in dict(state["statistics"]).items() if key != "cut"}  # type: ignore[call-overload]
    restored = restored_learner(model, older)
    assert restored.exploration == learner.exploration
    restored.learn(uniform_log(3_000, seed=9))
    assert restored.exploration.parameter < learner.exploration.parameter
