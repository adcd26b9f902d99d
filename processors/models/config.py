"""The configuration of one model: which signals it knows, how it infers reward, how it learns and explores."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from groundswell.exploration import ExplorationKind
from processors.models.signal_reduction import SeveralSignals

RewardRuleName = Literal["two-state", "workshop", "iclr", "counts", "pooled", "pooled-own", "mixture"]
InverseKinematicsForm = Literal["one-versus-rest", "softmax", "spectral", "co-occurrence"]
EMBEDDINGS: Final = frozenset({"spectral", "co-occurrence"})
MOST_CELLS: Final = 100_000
"""Of users x signals, each of 536 bytes in memory and about as many in a checkpoint, whose last two Kafka keeps.

Where all are in use that is 54 MB, twice that during a refresh of the embedding, which takes one to two seconds.
"""
ExtremeName = Literal["posterior", "either", "signal", "graded", "meaning"]
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


class InverseKinematicsConfig(Settings):
    """How P(action | context, feedback) is learned.

    With `start` "half" an action that was never seen is as likely as not under every signal, which is quick to
    find what is extreme; with "uniform" it begins at 1/K, for actions that come and go.
    `form` is one weighted logistic per action ("one-versus-rest") or one weighted softmax over the round's
    actions. `weight_cap` bounds the importance weight; `None` leaves it as it is, which is what converges.
    `estimator` puts a stock River classifier in their place; it has to take sample weights (`learn_one(…, w=…)`).

    The forms "spectral" and "co-occurrence" are for many users who each have a way of their own with many signals
    (`processors/learners/spectral_embedding.py`): the context feature `user_feature` says who it was, and what a signal
    means is learned for each of at most `users` x `signals`. Beyond them the user or signal that was not seen for
    longest is forgotten, and comes back as a new one: set them to more than are active at a time, and watch
    `groundswell_embedding_forgotten`. Each of `users` x `signals` takes half a kilobyte of memory and as much in each
    checkpoint, and 100,000 are the most.
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
        return self.form in EMBEDDINGS

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
    """How a posterior becomes a reward; `processors/learners/reward_rules.py` has the rules and their equations.

    An interaction is extreme where K * posterior exceeds `threshold` (`extreme` "posterior"), or where the
    mean of that over the interactions of its context and signal does ("signal"), or one of the two ("either").
    "graded" goes by the mean as well and pays in proportion to its logarithm; it is for actions that come and
    go and for signals that also happen by accident. With the inverse kinematics "spectral" or "co-occurrence" it may
    be what the signal means from that user that decides ("meaning"). `alpha` is the least probability of a
    definitely negative signal in the -1 state: the two published rules need it. `prior_strength` is the
    number of interactions' worth of trust in the wider rate before a narrower one is believed.
    """

    extreme: ExtremeName = "posterior"
    rule: RewardRuleName = "mixture"
    threshold: Annotated[float, Field(gt=1, allow_inf_nan=False)] = 2.0
    alpha: Annotated[float, Field(gt=0, le=1)] | None = None
    prior_strength: Positive = 10.0

    @model_validator(mode="after")
    def _alpha_where_it_is_used(self) -> Self:
        needed = self.rule in {"workshop", "iclr"}
        if needed and self.alpha is None:
            raise ValueError(f"rule {self.rule!r} needs alpha: without it an interaction's reward has no size")
        if not needed and self.alpha is not None:
            raise ValueError(f"rule {self.rule!r} has no alpha: the one given would silently do nothing")
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
    problem, distinct context features times actions. squarecb: gamma_t = `gamma` * sqrt(t). softmax: scores
    divided by `temperature`.
    """

    kind: ExplorationKind = "epsilon-greedy"
    t0: Positive | None = None
    floor: Annotated[float, Field(ge=0, le=1)] = 0.0
    gamma: Positive = 1.0
    temperature: Positive = 0.1


class ModelConfig(Settings):
    """How one model learns. `name` is what impressions carry in `model`.

    The signals in `definitely_negative` say that the person disliked what was shown; all others are left for
    the model to make out. `definitely_positive` is its mirror (ICLR 2023, footnote 1): give either, or both.
    `hash_bits` sets the size of the weight tables (2^bits): watch `groundswell_feature_table_occupancy`, and give a
    model whose tables fill beyond a half more bits, under a new name. `context_crosses` adds every pair of context
    features as a feature of its own. `shared_weights` also learns what holds for everybody: it generalises to
    contexts not met before and is slower to tell contexts apart. `several_signals` says what is learned from where more
    than one signal came and none of them is definite: the first, the last, their set, or how often each came.
    `sharded_by` names a context feature, such as the user, by which the interactions are spread over all
    partitions: several workers learn the model together, each its shard; `processors/learners/shard_mixing.py` has how.
    """

    name: Annotated[str, Field(min_length=1, max_length=128)]
    definitely_negative: frozenset[str] = frozenset()
    definitely_positive: frozenset[str] = frozenset()
    several_signals: SeveralSignals = "last"
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
        if embeds and (rule != "two-state" or extreme not in {"posterior", "meaning"}):
            raise ValueError(
                f"inverse kinematics {form!r} tells a rewarded state from all others and knows no third one: it needs "
                'reward = {rule = "two-state", extreme = "meaning"}, or extreme = "posterior"'
            )
        if extreme == "meaning" and not embeds:
            raise ValueError(f'extreme "meaning" needs the form "spectral" or "co-occurrence", not {form!r}')
        return self

    @model_validator(mode="after")
    def _some_anchor(self) -> Self:
        if both := self.definitely_negative & self.definitely_positive:
            raise ValueError(f"{sorted(both)} cannot be definitely negative and definitely positive at once")
        if not (self.definitely_negative or self.definitely_positive or self.reward.rule == "two-state"):
            raise ValueError(
                "neither definitely_negative nor definitely_positive is given: the two extreme states could "
                'not be told apart. Name at least one such signal, or use the rule "two-state"'
            )
        return self
