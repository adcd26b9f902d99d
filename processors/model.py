"""The configuration of one model: which signals it knows, how it infers reward, how it learns and explores."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class ModelConfig(BaseModel):
    """How one model learns. `name` is what impressions carry in `model`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1, max_length=128)
    definitely_negative: frozenset[str] = Field(min_length=1)
    several_signals: Literal["first", "last"] = "last"
    seed: int = 0
