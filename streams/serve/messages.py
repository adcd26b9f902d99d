"""What is asked over HTTP and what is answered, as types that decode and check themselves.

Requests refuse members that they do not know, so that a misspelt one is told and not passed over.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from groundswell.client import Basis
from groundswell.controls import Mode, Side
from groundswell.events import MAX_ACTIONS, MAX_SLOTS, Action, Features, Identifier, Milliseconds, Name

Written = Literal["acknowledged", "later"]
"""All replicas in sync have it; or, as was asked for by `?write=later`, it is yet to be written and may be lost."""


class OfferedAction(Action, frozen=True, omit_defaults=True, gc=False, forbid_unknown_fields=True):
    """One of the actions to choose from, with its features."""


class OfferedSlot(Struct, frozen=True, forbid_unknown_fields=True):
    """One of the places to fill: its id, the same in every request, and its features."""

    id: Identifier
    features: Features = {}


class RankRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Which of these actions to show, in this context.

    Without an `impression_id` it gets one. One that is asked for again is decided anew, and the worker takes the first
    of them alone: leave it out, or never ask twice by the same. `defer` is for what is prefetched, or below the fold:
    the impression counts from its activation on, and not at all without it. `own` is what the app's own rule would
    show: the id of one of the actions, or the probability of each by which it draws, in their order. It decides where
    the control of the model says so, and where there is no policy to decide by.

    With `slots` an action is decided for each of them, in their order, none in two of them unless it `repeats`: the
    answer has one for each, `impression_id` is that of the decision, and `own` the id of an action for each slot.
    """

    model: Name
    actions: Annotated[list[OfferedAction], Meta(min_length=1, max_length=MAX_ACTIONS)]
    context: Features = {}
    impression_id: Identifier | None = None
    defer: bool = False
    own: Identifier | Annotated[list[float | Identifier], Meta(min_length=1, max_length=MAX_ACTIONS)] | None = None
    slots: Annotated[list[OfferedSlot], Meta(min_length=1, max_length=MAX_SLOTS)] | None = None
    repeats: bool = False


class RankAnswer(Struct, frozen=True, kw_only=True):
    """The action to show, and how likely it was to be this one.

    `probabilities` has one entry for each of the actions, in their order, and `propensity` is that of the one at
    `index`. `basis` says what was decided by: `policy`, the newest; `last_known`, the last that came, while Kafka does
    not answer; `pinned`, the one that the model's control names; `own`, the app's own rule; `uniform`, chance, where
    there is none of them. Where no policy decided, `policy_version` is null. `mode` is that of the model's control,
    `online` without one, null while it is not known yet whether there is one; `side` is that of a canary. In the mode
    `apprentice`, `agreed` is the share of the newest policy's first rank that the action has.
    """

    model: Name
    impression_id: Identifier
    action: Identifier
    index: Annotated[int, Meta(ge=0)]
    propensity: Annotated[float, Meta(gt=0, le=1)]
    probabilities: list[float]
    policy_version: Annotated[int, Meta(ge=0)] | None
    basis: Basis
    mode: Mode | None
    side: Side | None
    agreed: Annotated[float, Meta(ge=0, le=1)] | None
    written: Written


class SlotAnswer(Struct, frozen=True, kw_only=True):
    """The action to show in a slot, and how likely it was to be this one given those of the slots before it.

    `index` and `probabilities` go by the actions as they were asked for: those that were shown before have 0.
    """

    slot: Identifier
    impression_id: Identifier
    action: Identifier
    index: Annotated[int, Meta(ge=0)]
    propensity: Annotated[float, Meta(gt=0, le=1)]
    probabilities: list[float]
    agreed: Annotated[float, Meta(ge=0, le=1)] | None


class SlotsAnswer(Struct, frozen=True, kw_only=True):
    """The actions to show in the slots, in their order; all of them were decided by the same."""

    model: Name
    decision_id: Identifier
    slots: list[SlotAnswer]
    policy_version: Annotated[int, Meta(ge=0)] | None
    basis: Basis
    mode: Mode | None
    side: Side | None
    written: Written


class FeedbackRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A signal that came back for an impression of this model. Whether it is good or bad is not the app's to say.

    `feedback_id` makes a retry harmless: ask again by the same. `occurred_at` is now unless given.
    """

    model: Name
    impression_id: Identifier
    signal: Name
    value: float | None = None
    feedback_id: Identifier | None = None
    occurred_at: Milliseconds | None = None


class FeedbackAnswer(Struct, frozen=True, kw_only=True):
    """The feedback that was taken."""

    impression_id: Identifier
    feedback_id: Identifier
    written: Written


class ActivateRequest(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """That a deferred impression of this model was shown; `occurred_at` is now unless given. A retry is harmless."""

    model: Name
    impression_id: Identifier
    occurred_at: Milliseconds | None = None


class ActivateAnswer(Struct, frozen=True, kw_only=True):
    """The impression that counts from now on."""

    impression_id: Identifier
    written: Written


class Model(Struct, frozen=True, kw_only=True):
    """A model that may be asked about, as it is at this moment, and what is wrong, if anything.

    `mode` is that of its control, `online` without one, null while it is not known yet whether there is one. `basis`
    is what decides, as in the answers of `rank`; in a canary for those in it, and `rest` for all others. `uniform` says
    that there is no policy to decide by: then the app's own rule decides where it is given, and otherwise chance.
    `policy_version` is that of the newest policy, `pinned_version` that of the one which the control names.
    """

    model: Name
    mode: Mode | None
    basis: Basis
    rest: Basis | None
    policy_version: Annotated[int, Meta(ge=0)] | None
    pinned_version: Annotated[int, Meta(ge=0)] | None
    problem: str | None


class ModelsAnswer(Struct, frozen=True, kw_only=True):
    """The models that this token may ask about."""

    models: list[Model]


class Refusal(Struct, frozen=True, kw_only=True):
    """Why there is no answer, and what to do (RFC 9457)."""

    status: int
    title: str
    detail: str
