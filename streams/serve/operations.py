"""The operations of the API, as a table: the routes and the OpenAPI document are made of it."""

from __future__ import annotations

from typing import Final, NamedTuple

from msgspec import Struct

from streams.serve.messages import (
    ActivateAnswer,
    ActivateRequest,
    FeedbackAnswer,
    FeedbackRequest,
    ModelsAnswer,
    RankAnswer,
    RankRequest,
    SlotsAnswer,
)


class Operation(NamedTuple):
    """One thing to ask: what is sent (None: nothing) and what comes back; `summary` says in a line what for.

    Where that is of several kinds, `or_gives` is the other one.
    """

    name: str
    method: str
    path: str
    asks: type[Struct] | None
    gives: type[Struct]
    summary: str
    or_gives: type[Struct] | None = None


RANK: Final = Operation(
    "rank",
    "POST",
    "/v1/rank",
    RankRequest,
    RankAnswer,
    "Decide which action to show, or one for each slot, and log the impression.",
    SlotsAnswer,
)
FEEDBACK: Final = Operation(
    "feedback", "POST", "/v1/feedback", FeedbackRequest, FeedbackAnswer, "Log a signal that came back."
)
ACTIVATE: Final = Operation(
    "activate", "POST", "/v1/activate", ActivateRequest, ActivateAnswer, "Say that a deferred impression was shown."
)
MODELS: Final = Operation(
    "models", "GET", "/v1/models", None, ModelsAnswer, "List models: who decides, and the newest policy of each."
)
OPERATIONS: Final = (RANK, FEEDBACK, ACTIVATE, MODELS)
