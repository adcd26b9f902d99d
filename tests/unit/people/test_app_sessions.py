"""What simulated apps log: what the contract demands, and mishaps as often as they should happen."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import pytest

from experiments.people.app_faults import NO_FAULTS, Faults
from experiments.people.app_sessions import AUTOPLAY, Answer, AppSessions, Decide, Mishaps, Showing, deciding_by
from experiments.people.three_state import ThreeStateUsers
from groundswell.client.decisions import impression_of
from groundswell.events import NONE_SIGNAL, Action, FeatureValue, Impression, contradiction

WAIT, GRACE, NOW = 1000, 500, 1_700_000_000_000
SMOOTH = Mishaps(repeated_impression=0, repeated_feedback=0, held=0, early=0, late=0)


class Always:
    """Shows one action almost always."""

    version = 7

    def __init__(self, favourite: int) -> None:
        self.favourite = favourite

    def probabilities(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        rest = 0.1 / (len(actions) - 1)
        return [0.9 if index == self.favourite else rest for index in range(len(actions))]

    def greedy(self, context: Mapping[str, FeatureValue], actions: Sequence[Action]) -> list[float]:
        return [float(index == self.favourite) for index in range(len(actions))]


def always(favourite: int) -> Decide:
    return deciding_by("m", Always(favourite), random.Random(favourite))


def sessions(mishaps: Mishaps = SMOOTH, faults: Faults = NO_FAULTS, users: int = 5) -> AppSessions:
    people = ThreeStateUsers(users, 11, 0.2, seed=3)
    return AppSessions(people, run="run", seed=3, wait=WAIT, grace=GRACE, mishaps=mishaps, faults=faults)


def shown(apps: AppSessions, count: int = 3000) -> list[Showing | Answer]:
    decide = always(4)
    return [message for _ in range(count) for message in apps.show(NOW, decide)]


def shown_all(apps: AppSessions, actions: Sequence[int], count: int) -> list[Showing | Answer]:
    """Return what comes of showing each of these actions nearly `count` times."""
    deciding = [decide for action in actions for decide in [always(action)] * count]
    return [message for decide in deciding for message in apps.show(NOW, decide)]


def impressions(messages: list[Showing | Answer]) -> list[Impression]:
    return [impression_of(one.decision, one.occurred_at) for one in messages if isinstance(one, Showing)]


def feedback(messages: list[Showing | Answer]) -> list[Answer]:
    return [one for one in messages if isinstance(one, Answer)]


def test_every_impression_keeps_the_contract() -> None:
    made = impressions(shown(sessions(Mishaps())))
    assert all(contradiction(impression) is None for impression in made)
    assert {one.model for one in made} == {"m"}


def test_feedback_is_of_what_was_shown_and_its_repeats_have_one_id() -> None:
    logged: list[tuple[str, str]] = []

    class Log:
        def shown(self, decision: object, *, occurred_at: int) -> None: ...

        def feedback(self, impression_id: str, signal: str, *, feedback_id: str, occurred_at: int) -> None:
            logged.append((impression_id, feedback_id))

    apps = sessions(Mishaps(repeated_feedback=0.5))
    messages = shown(apps, 300)
    for one in messages:
        one.write_to(Log())
    assert {impression for impression, _ in logged} <= {one.impression_id for one in impressions(messages)}
    assert len(set(logged)) == apps.produced.feedback < len(logged)


def test_actions_are_shown_as_often_as_the_logged_probabilities_say() -> None:
    made = impressions(shown(sessions()))
    assert sum(one.chosen == 4 for one in made) / len(made) == pytest.approx(0.9, abs=0.02)
    assert {one.chosen_propensity for one in made if one.chosen == 4} == {0.9}
    assert {one.policy_version for one in made} == {7}


def test_signals_are_those_of_the_users() -> None:
    apps = sessions()
    messages = shown(apps)
    signals = {one.impression_id: one.signal for one in feedback(messages)}
    for impression in impressions(messages):
        user = int(str(impression.context["user"]).removeprefix("user-"))
        expected: dict[int, set[str]] = {1: {"click", "like"}, -1: {"dislike", "skip"}, 0: {NONE_SIGNAL}}
        signal = signals.get(impression.impression_id, NONE_SIGNAL)
        assert signal in expected[apps.users.state(user, impression.chosen)]


def test_without_mishaps_everything_is_sent_when_it_occurs_and_within_the_wait() -> None:
    for message in shown(sessions()):
        assert message.due == message.occurred_at
        assert NOW <= message.occurred_at <= NOW + WAIT


def test_repeated_messages_say_the_same() -> None:
    apps = sessions(Mishaps(repeated_impression=0.1, repeated_feedback=0.1, held=0, early=0, late=0))
    messages = shown(apps)
    counted: Counter[object] = Counter(one.impression_id for one in impressions(messages))
    counted.update((one.impression_id, one.signal, one.occurred_at) for one in feedback(messages))
    assert sum(count == 2 for count in counted.values()) == (
        apps.produced.repeated_impressions + apps.produced.repeated_feedback
    )
    assert apps.produced.repeated_impressions == pytest.approx(300, abs=60)
    assert len(counted) == apps.produced.impressions + apps.produced.feedback


def test_held_messages_are_sent_within_the_grace() -> None:
    apps = sessions(Mishaps(repeated_impression=0, repeated_feedback=0, held=0.2, early=0, late=0))
    delays = [one.due - one.occurred_at for one in shown(apps)]
    assert sum(delay > 0 for delay in delays) == apps.produced.held > 0
    assert max(delays) < GRACE


def test_early_feedback_is_sent_before_its_impression() -> None:
    apps = sessions(Mishaps(repeated_impression=0, repeated_feedback=0, held=0, early=0.2, late=0))
    messages = shown(apps)
    due = {one.decision.impression_id: one.due for one in messages if isinstance(one, Showing)}
    overtaking = [one for one in feedback(messages) if one.due < due[one.impression_id]]
    assert len(overtaking) == apps.produced.early > 0


def test_late_feedback_comes_when_the_join_has_stopped_waiting() -> None:
    apps = sessions(Mishaps(repeated_impression=0, repeated_feedback=0, held=0, early=0, late=0.2))
    late = [one for one in feedback(shown(apps)) if one.occurred_at > NOW + WAIT + GRACE]
    assert len(late) == apps.produced.late > 0
    assert apps.last_occurred_at == max(one.occurred_at for one in late)


def test_sarcastic_users_like_what_they_hate_and_the_others_do_not() -> None:
    apps = sessions(faults=Faults(sarcastic=0.4))
    states_of_likes: dict[bool, set[int]] = {True: set(), False: set()}
    messages = shown_all(apps, range(11), 300)
    shown_to = {one.impression_id: one for one in impressions(messages)}
    for one in feedback(messages):
        impression = shown_to[one.impression_id]
        user = int(str(impression.context["user"]).removeprefix("user-"))
        if one.signal == "like":
            states_of_likes[user < 2].add(apps.users.state(user, impression.chosen))
    assert states_of_likes == {True: {-1}, False: {1}}


def test_people_come_by_platforms_the_sarcastic_ones_by_the_first() -> None:
    apps = AppSessions(ThreeStateUsers(5, 11, 0.2, seed=3), run="run", seed=3, wait=WAIT, grace=GRACE, platforms=2)
    contexts = {tuple(one.context.values()) for one in impressions(shown(apps, 200))}
    assert contexts == {(f"user-{user}", f"platform-{int(user >= 0.6 * 5)}") for user in range(5)}


def autoplaying(mishaps: Mishaps = SMOOTH) -> AppSessions:
    people = ThreeStateUsers(5, 11, 0.2, seed=3, enjoyed=3, hated=3)
    return AppSessions(people, run="run", seed=3, wait=WAIT, grace=GRACE, mishaps=mishaps, autoplaying=2)


def test_what_plays_by_itself_says_so_in_half_of_its_impressions_whatever_people_think_of_it() -> None:
    apps = autoplaying()
    messages = shown_all(apps, range(11), 500)
    played = {one.impression_id for one in feedback(messages) if one.signal == AUTOPLAY}
    shares: dict[tuple[bool, int], list[bool]] = {}
    for one in impressions(messages):
        state = apps.users.state(int(str(one.context["user"]).removeprefix("user-")), one.chosen)
        shares.setdefault((one.chosen < 2, state), []).append(one.impression_id in played)
    for (plays, _), came in shares.items():
        assert sum(came) / len(came) == pytest.approx(0.5 if plays else 0.0, abs=0.1)
    assert {plays for plays, _ in shares} == {True, False}
    assert len({state for plays, state in shares if plays}) > 1


def test_what_plays_by_itself_comes_beside_what_people_answer() -> None:
    apps = autoplaying()
    messages = shown_all(apps, (0, 1), 1000)
    by_impression: dict[str, list[Answer]] = {}
    for one in feedback(messages):
        by_impression.setdefault(one.impression_id, []).append(one)
    both = [given for given in by_impression.values() if len(given) == 2]
    assert both
    assert all({one.signal for one in given} >= {AUTOPLAY} for given in both)
    assert len({(one.impression_id, one.signal) for one in feedback(messages)}) == apps.produced.feedback


def test_people_enjoy_and_hate_as_many_actions_as_asked_for() -> None:
    states = ThreeStateUsers(7, 11, 0.2, seed=3, enjoyed=3, hated=2).states
    assert {((row == 1).sum(), (row == -1).sum()) for row in states} == {(3, 2)}
    with pytest.raises(ValueError, match="at least 6"):
        ThreeStateUsers(7, 5, 0.2, seed=3, enjoyed=3, hated=2)


@pytest.mark.parametrize("after", [0, 100])
def test_uniform_propensities_are_logged_from_the_given_impression_on(after: int) -> None:
    made = impressions(shown(sessions(faults=Faults(uniform_propensities=True, after=after)), 200))
    assert [one.chosen_propensity == pytest.approx(1 / 11) for one in made] == [False] * after + [True] * (200 - after)
    assert sum(one.chosen == 4 for one in made) > 150  # though the apps go on as before


def test_without_the_button_a_dislike_becomes_a_skip() -> None:
    assert "dislike" in {one.signal for one in feedback(shown(sessions()))}
    assert "dislike" not in {one.signal for one in feedback(shown(sessions(faults=Faults(no_dislike_button=True))))}


def test_delayed_feedback_occurs_later() -> None:
    apps = sessions(faults=Faults(feedback_delay=60_000))
    assert min(one.occurred_at for one in feedback(shown(apps))) >= NOW + 60_000


@pytest.mark.parametrize("arguments", [{"sarcastic": 1.5}, {"feedback_delay": -1}, {"after": -1}])
def test_impossible_faults_are_refused(arguments: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"share|count"):
        Faults(**arguments)  # type: ignore[arg-type]  # wrong on purpose


def test_the_same_seed_makes_the_same_messages() -> None:
    assert shown(sessions(Mishaps()), 500) == shown(sessions(Mishaps()), 500)
