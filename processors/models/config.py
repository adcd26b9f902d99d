"""The configuration of one model: which signals it knows, how it infers reward, how it learns and explores."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundswell.events import NONE_SIGNAL
from groundswell.exploration import ExplorationKind
from processors.models.signal_reduction import SeveralSignals

RewardRuleName = Literal["three-state", "two-state", "workshop", "iclr"]
InverseKinematicsForm = Literal["one-versus-rest", "softmax", "spectral"]
RELEARN: Final = "`groundswell redecode --model NAME` relearns a model from its interactions"
"""What becomes of what was learned under a setting that is no more."""
GONE: Final = {
    "rule": frozenset({"counts", "pooled", "pooled-own", "mixture"}),
    "extreme": frozenset({"either", "signal", "graded"}),
    "form": frozenset({"co-occurrence"}),
}
"""Settings of earlier releases that the default rule has made superfluous."""
MOST_CELLS: Final = 100_000
"""Of users x signals, each of 536 bytes in memory and about as many in a checkpoint, whose last two Kafka keeps.

Where all are in use that is 54 MB, twice that during a refresh of the embedding, which takes one to two seconds.
"""
ExtremeName = Literal["posterior", "ramp", "meaning"]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


MOST_SHARDED_BITS: Final = 20
"""Of the tables of a sharded model: taking in what others learned takes half a second at this size."""


class Settings(BaseModel):
    """A group of settings: cannot be changed after construction, and a misspelt name is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StockEstimator(Settings):
    """A River class by its import path, for example `river.linear_model.LogisticRegression`.

    `parameters` are its keyword arguments; a nested `{class = "…", parameters = {…}}` is built likewise, so that
    an optimiser or a wrapped model can be given.
    """

    path: str = Field(alias="class", pattern=r"^river(\.[A-Za-z_]\w*)+$")
    parameters: dict[str, Any] = {}


def _refuse_gone(given: Any, setting: str) -> Any:
    if isinstance(given, dict) and given.get(setting) in GONE[setting]:
        raise ValueError(
            f"{setting} {given[setting]!r} is no more: the default rule does without it, so leave it out. {RELEARN}"
        )
    return given


class InverseKinematicsConfig(Settings):
    """How P(action | context, feedback) is learned under the papers' rules; the default rule has no settings of it.

    With `start` "half" an action that was never seen is as likely as not under every signal, which is quick to
    find what is extreme; with "uniform" it begins at 1/K, for actions that come and go.
    `form` is one weighted logistic per action ("one-versus-rest") or one weighted softmax over the round's
    actions. `weight_cap` bounds the importance weight; with `None` nothing does but the bound that grows with the
    log (`processors/learners/influence.py`), which is what converges.
    `estimator` puts a stock River classifier in their place; it has to take sample weights (`learn_one(…, w=…)`).

    The form "spectral" is for many users who each have a way of their own with many signals, a hundred by a hundred,
    too many to learn one by one (`processors/learners/spectral_embedding.py`): the context feature `user_feature` says
    who it was, and what a signal means is learned for each of at most `users` x `signals`. Beyond them the user or
    signal that was not seen for longest is forgotten, and comes back as a new one: set them to more than are active at
    a time, and watch `groundswell_embedding_forgotten`. Each of `users` x `signals` takes half a kilobyte of memory and
    as much in each checkpoint, and 100,000 are the most.
    """

    form: InverseKinematicsForm = "one-versus-rest"
    start: Literal["half", "uniform"] = "half"
    learning_rate: Positive = 1.0
    weight_cap: Positive | None = None
    estimator: StockEstimator | None = None
    user_feature: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="the context feature that names the user, where users differ in what they mean"
    )
    users: int = Field(
        default=1_000, ge=2, le=MOST_CELLS // 2, description="of whom it is kept what they mean, at most"
    )
    signals: int = Field(
        default=100, ge=2, le=MOST_CELLS // 2, description="of which it is kept what they mean, at most"
    )

    @property
    def embeds(self) -> bool:
        """Whether the form learns what each signal means from each user."""
        return self.form == "spectral"

    @model_validator(mode="before")
    @classmethod
    def _form_exists(cls, given: Any) -> Any:
        return _refuse_gone(given, "form")

    @model_validator(mode="after")
    def _embedding_is_whole(self) -> Self:
        if self.embeds != (self.user_feature is not None):
            raise ValueError(
                f"form {self.form!r} needs user_feature, the context feature that names the user"
                if self.embeds
                else f"form {self.form!r} has no users of its own: user_feature would silently do nothing"
            )
        if self.embeds and self.estimator is not None:
            raise ValueError(f"form {self.form!r} and a stock estimator exclude each other: leave one of them out")
        if (cells := self.users * self.signals) > MOST_CELLS:
            raise ValueError(
                f"users x signals is {cells:,}: with more than {MOST_CELLS:,} the worker would stand still"
            )
        return self


class RewardConfig(Settings):
    """How feedback becomes a reward; `processors/learners/reward_rules.py` has the rules and their equations.

    The default "three-state" has no settings of its own. The papers' rules ("two-state", "workshop", "iclr") take an
    interaction for extreme where K * posterior exceeds `threshold` (`extreme` "posterior"), the more the larger it is
    where at most `most_rewarded` of the K actions are rewarded in a context ("ramp"), or with the inverse kinematics
    "spectral" where what the signal means from that user is positive ("meaning"). `alpha` is the least probability of a
    definitely negative signal in the -1 state: "workshop" and "iclr" need it.
    """

    extreme: ExtremeName = "posterior"
    rule: RewardRuleName = "three-state"
    threshold: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    most_rewarded: Annotated[int, Field(ge=1)] = 1
    alpha: Annotated[float, Field(gt=0, le=1)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _rule_exists(cls, given: Any) -> Any:
        if isinstance(given, dict) and "prior_strength" in given:
            raise ValueError(f"prior_strength is no more: no rule that is left counts by it. Leave it out. {RELEARN}")
        return _refuse_gone(_refuse_gone(given, "rule"), "extreme")

    @model_validator(mode="after")
    def _nothing_does_nothing(self) -> Self:
        needed = self.rule in {"workshop", "iclr"}
        if needed and self.alpha is None:
            raise ValueError(f"rule {self.rule!r} needs alpha: without it an interaction's reward has no size")
        if not needed and self.alpha is not None:
            raise ValueError(f"rule {self.rule!r} has no alpha: the one given would silently do nothing")
        if self.threshold != 2.0 and self.extreme == "ramp":
            raise ValueError(
                'extreme "ramp" has no threshold but most_rewarded: the one given would silently do nothing'
            )
        if self.rule == "three-state":
            for name in ("extreme", "threshold", "most_rewarded"):
                if getattr(self, name) != type(self).model_fields[name].default:
                    raise ValueError(
                        f"rule 'three-state' asks not what is extreme: {name} would silently do nothing. Leave it out, "
                        'or name one of the papers\' rules, "two-state", "workshop" or "iclr"'
                    )
        if self.most_rewarded != 1 and self.extreme != "ramp":
            raise ValueError(f"extreme {self.extreme!r} asks not for most_rewarded, which would silently do nothing")
        return self


class BanditConfig(Settings):
    """How the policy learns from inferred reward; the weight 1/(K p) is capped at `weight_cap`.

    `estimator` puts a stock River regressor in its place; it has to take sample weights and to be linear, since a
    published policy is a list of weights.
    """

    learning_rate: Positive = 1.0
    weight_cap: Positive | None = 2.0
    estimator: StockEstimator | None = None


class ExplorationConfig(Settings):
    """How actions are chosen beyond the best one.

    epsilon-greedy: epsilon_t = min(1, (t0 / t)^(1/3)), never below `floor`; `t0` of `None` is the size of the
    problem, context features times actions: features that keep coming, from one stretch of interactions to the next
    (`processors/learners/running_totals.py`). squarecb: gamma_t = `gamma` * sqrt(t). softmax: scores
    divided by `temperature`. Where data cannot tell what people feel (no definite signal came yet, next to nobody is
    indifferent, feedback tells nothing, or in some contexts the meaning of a signal is not determined), each of K
    actions is shown with a probability of at least `floor_in_doubt` / K, whatever the kind.
    """

    kind: ExplorationKind = "epsilon-greedy"
    t0: Positive | None = None
    floor: Annotated[float, Field(ge=0, le=1)] = 0.0
    floor_in_doubt: Annotated[float, Field(ge=0, le=1)] = 0.1
    gamma: Positive = 1.0
    temperature: Positive = 0.1


class ModelConfig(Settings):
    """How one model learns. `name` is what impressions carry in `model`.

    The signals in `definitely_negative` say that the person disliked what was shown; all others are left for
    the model to make out. `definitely_positive` is its mirror (ICLR 2023, footnote 1): give either, or both. Who gives
    one of the `indifferent` signals neither liked nor disliked what was shown; where hardly any of these comes, the
    commonest signal that is not definite stands in for them.
    `hash_bits` sets the size of the weight tables (2^bits): watch `groundswell_feature_table_occupancy`, and give a
    model whose tables fill beyond a half more bits, under a new name. `context_crosses` adds every pair of context
    features as a feature of its own. `shared_weights` also learns what holds for everybody: it generalises to
    contexts not met before and is slower to tell contexts apart. `several_signals` says what is learned from where more
    than one signal came and none of them is definite: the first, the last, their set, or how often each came.
    A signal that is found to tell which action was shown whatever the person thinks of it is left out
    (`processors/learners/leaking_signals.py`), but for the `trusted_signals`; the `ignored_signals` always are. Where
    it takes the place of other feedback, nothing is learned from an impression with it alone.
    `value_measures` names, by signal, the numeric feature of the shown action that its values are divided by before
    they are compared, such as the length of a video for the seconds that somebody watched.
    `sharded_by` names a context feature, such as the user, by which the interactions are spread over all
    partitions: several workers learn the model together, each its shard; `processors/learners/shard_mixing.py` has how.
    """

    name: Annotated[str, Field(min_length=1, max_length=128)]
    definitely_negative: frozenset[str] = frozenset()
    definitely_positive: frozenset[str] = frozenset()
    indifferent: frozenset[str] = frozenset({NONE_SIGNAL})
    several_signals: SeveralSignals = "last"
    trusted_signals: frozenset[str] = frozenset()
    ignored_signals: frozenset[str] = frozenset()
    value_measures: dict[str, Annotated[str, Field(min_length=1, max_length=128)]] = {}
    hash_bits: Annotated[int, Field(ge=8, le=26)] = 18
    context_crosses: bool = False
    shared_weights: bool = False
    sharded_by: Annotated[str, Field(min_length=1)] | None = None
    inverse_kinematics: InverseKinematicsConfig = InverseKinematicsConfig()
    reward: RewardConfig = RewardConfig()
    bandit: BanditConfig = BanditConfig()
    exploration: ExplorationConfig = ExplorationConfig()

    @model_validator(mode="after")
    def _shards_can_be_added(self) -> Self:
        ik = self.inverse_kinematics
        if self.sharded_by is not None and (ik.estimator or ik.embeds or self.bandit.estimator):
            raise ValueError(
                "sharded_by needs a compiled logistic or softmax: what shards learned of others cannot be added up"
            )
        if self.sharded_by is not None and self.hash_bits > MOST_SHARDED_BITS:
            raise ValueError(
                f"hash_bits {self.hash_bits} with sharded_by: shards exchange whole tables every few seconds; "
                f"take {MOST_SHARDED_BITS} at the most"
            )
        return self

    @model_validator(mode="after")
    def _meaning_where_it_is_learned(self) -> Self:
        embeds = self.inverse_kinematics.embeds
        form, rule, extreme = self.inverse_kinematics.form, self.reward.rule, self.reward.extreme
        if embeds and rule != "two-state":
            raise ValueError(
                f"inverse kinematics {form!r} tells a rewarded state from all others and knows no third one: it needs "
                'reward = {rule = "two-state", extreme = "meaning"}, or extreme = "posterior"'
            )
        if extreme == "meaning" and not embeds:
            raise ValueError(f'extreme "meaning" needs the form "spectral", not {form!r}')
        return self

    @model_validator(mode="after")
    def _signals_can_be_left_out(self) -> Self:
        if both := self.ignored_signals & self.trusted_signals:
            raise ValueError(f"{sorted(both)} cannot be ignored and trusted at once")
        if both := self.ignored_signals & (self.definitely_negative | self.definitely_positive):
            raise ValueError(f"{sorted(both)} cannot be ignored and definite at once: leave it out of one of the two")
        if NONE_SIGNAL in self.ignored_signals:
            raise ValueError(f"{NONE_SIGNAL!r} cannot be ignored: it says that nothing came")
        unread = self.definitely_negative | self.definitely_positive | self.indifferent | self.ignored_signals
        if measured := self.value_measures.keys() & unread:
            raise ValueError(
                f"{sorted(measured)} in value_measures: of definite, indifferent and ignored signals no values are read"
            )
        if self.reward.rule != "three-state":
            for name in ("trusted_signals", "value_measures"):
                if getattr(self, name):
                    raise ValueError(
                        f"rule {self.reward.rule!r} reads no values and finds no leaking signals: {name} would "
                        "silently do nothing"
                    )
        return self

    @model_validator(mode="after")
    def _settings_of_the_rule(self) -> Self:
        if self.reward.rule != "three-state":
            if self.indifferent != {NONE_SIGNAL}:
                raise ValueError(
                    f"rule {self.reward.rule!r} knows no indifferent signals: the ones given would silently do nothing"
                )
            if self.exploration.floor_in_doubt != ExplorationConfig().floor_in_doubt:
                raise ValueError(
                    f"rule {self.reward.rule!r} is never in doubt: floor_in_doubt would silently do nothing"
                )
            return self
        if self.inverse_kinematics.estimator or self.bandit.estimator:
            raise ValueError(
                "rule 'three-state' learns states, signals and bandit in one step, which stock estimators know nothing "
                'of. With one name IGL-P(3): reward = {rule = "iclr", alpha = 0.1}, where alpha is how often a hated '
                "action draws a definitely negative signal at least"
            )
        given = self.inverse_kinematics.model_dump(exclude_defaults=True)
        if given:
            raise ValueError(
                f"rule 'three-state' has no classifier: {', '.join(sorted(given))} of inverse_kinematics would "
                'silently do nothing. Leave it out, or name one of the rules "two-state", "workshop" and "iclr"'
            )
        return self

    @model_validator(mode="after")
    def _some_anchor(self) -> Self:
        if both := self.definitely_negative & self.definitely_positive:
            raise ValueError(f"{sorted(both)} cannot be definitely negative and definitely positive at once")
        definite = self.definitely_negative | self.definitely_positive
        if NONE_SIGNAL in definite:
            raise ValueError(
                f"{NONE_SIGNAL!r} cannot be definite: it is no feedback at all, and also comes of what nobody looked at"
            )
        if (both := self.indifferent & definite) and self.reward.rule == "three-state":
            raise ValueError(f"{sorted(both)} cannot be indifferent and definite at once")
        if not (self.definitely_negative or self.definitely_positive or self.reward.rule == "two-state"):
            raise ValueError(
                "neither definitely_negative nor definitely_positive is given: the two extreme states could "
                'not be told apart. Name at least one such signal, or use the rule "two-state"'
            )
        return self
