"""The configuration: the only reader of the environment.

From strongest to weakest: variables of the environment (`GROUNDSWELL_JOIN__WAIT=600`), the TOML file that
`GROUNDSWELL_CONFIG` names, defaults. `KAFKA_BOOTSTRAP_SERVERS` is understood as well, being what others use.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from processors.join import JoinConfig
from processors.model import ModelConfig


class KafkaSettings(BaseModel):
    """How Kafka is reached and used."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bootstrap_servers: str = Field("127.0.0.1:9092", description="host:port, several separated by commas")
    group: str = Field("groundswell", description="consumer group and prefix of the changelog topic")
    instance: str | None = Field(
        None, description="static group membership: a restart within the session time-out causes no rebalance"
    )
    replication: int = Field(1, ge=1, description="replication factor of topics made by groundswell")
    compression: Literal["gzip", "snappy", "lz4", "zstd", "none"] = Field("lz4", description="of what is written")
    session_timeout: float = Field(10.0, gt=0, description="seconds after which a silent worker is dead")
    max_batch_bytes: int = Field(1_000_000, gt=16_384, description="largest batch of records to write")


class TopicSettings(BaseModel):
    """Names and partition counts of the topics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    impressions: str = "impressions"
    feedback: str = "feedback"
    interactions: str = "interactions"
    rewards: str = "rewards"
    policies: str = "policies"
    checkpoints: str = "checkpoints"
    late_feedback: str = "late-feedback"
    dead_letter: str = "dead-letter"
    event_partitions: int = Field(4, ge=1, description="of impressions and feedback; the join scales by it")
    interaction_partitions: int = Field(4, ge=1, description="of interactions and checkpoints; models spread over it")
    retention_hours: float = Field(168.0, gt=0, description="of all but policies and checkpoints, which are compacted")


class HttpSettings(BaseModel):
    """Where metrics and health are served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to bind; 0.0.0.0 for all")
    port: int = Field(6066, ge=1, le=65_535, description="of /metrics, /healthz and /readyz")


class LearningSettings(BaseModel):
    """How often policies are published and checkpoints written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    publish_interactions: int = Field(
        500, gt=0, description="a policy is published after so many interactions, large ones after more"
    )
    publish_seconds: float = Field(10.0, gt=0, description="or after so many seconds, if there is anything new")
    checkpoint_seconds: float = Field(5.0, gt=0, description="between checkpoints; offsets are committed with them")


class Settings(BaseSettings):
    """Everything that can be set. `models` needs at least one entry for a worker to learn."""

    model_config = SettingsConfigDict(
        env_prefix="GROUNDSWELL_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    join: JoinConfig = JoinConfig()
    learning: LearningSettings = LearningSettings()
    http: HttpSettings = HttpSettings()
    max_ahead: float = Field(
        300.0, ge=0, description="seconds by which an event time may lie ahead of its record's own time"
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR")
    models: dict[str, ModelConfig] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _name_models(cls, values: Any) -> Any:
        """`[models.feed]` names the model: it need not say so again."""
        models = values.get("models") if isinstance(values, dict) else None
        if isinstance(models, dict):
            named = {
                name: {"name": name, **model} if isinstance(model, dict) else model for name, model in models.items()
            }
            return {**values, "models": named}
        return values

    @model_validator(mode="after")
    def _names_agree(self) -> Settings:
        for name, model in self.models.items():
            if model.name != name:
                raise ValueError(f"[models.{name}] calls itself {model.name!r}: leave `name` out or make them agree")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments, environment, then the TOML file."""
        path = os.environ.get("GROUNDSWELL_CONFIG")
        toml = (TomlConfigSettingsSource(settings_cls, Path(path)),) if path else ()
        return (init_settings, env_settings, *toml)


def load_settings(config: Path | None = None) -> Settings:
    """Return the settings, from this file where one is given.

    Raises `pydantic.ValidationError`, which names the field, and `FileNotFoundError`.
    """
    if config is not None:
        os.environ["GROUNDSWELL_CONFIG"] = str(config)
    path = os.environ.get("GROUNDSWELL_CONFIG")
    if path and not Path(path).is_file():
        raise FileNotFoundError(f"no configuration file at {path}; set GROUNDSWELL_CONFIG or --config to one")
    settings = Settings()
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if servers:
        kafka = settings.kafka.model_copy(update={"bootstrap_servers": servers})
        settings = settings.model_copy(update={"kafka": kafka})
    return settings
