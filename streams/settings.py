"""The configuration: the only reader of the environment, but for the name of its own file on the command line.

From strongest to weakest: variables of the environment (`GROUNDSWELL_JOIN__WAIT=600`), the TOML file that
`GROUNDSWELL_CONFIG` names, defaults. `KAFKA_BOOTSTRAP_SERVERS` is understood as well, being what others use.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, DirectoryPath, Field, FilePath, SecretStr, model_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from processors.join.config import JoinConfig
from processors.models.config import ModelConfig


class KafkaSettings(BaseModel):
    """How Kafka is reached and used. docs/security.md has more on the second half."""

    # Messages that quote what was given would show a misplaced password.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    bootstrap_servers: str = Field("127.0.0.1:9092", description="host:port, several separated by commas")
    group: str = Field("groundswell", description="consumer group and prefix of the changelog topic")
    instance: str | None = Field(
        None, description="static group membership: a restart within the session time-out causes no rebalance"
    )
    replication: int = Field(1, ge=1, description="replication factor of topics made by groundswell")
    compression: Literal["gzip", "snappy", "lz4", "zstd", "none"] = Field(
        "zstd", description="of what workers write; lz4 takes five times as long here and makes it no smaller"
    )
    session_timeout: float = Field(10.0, gt=0, description="seconds after which a silent worker is dead")
    max_batch_bytes: int = Field(1_000_000, gt=16_384, description="largest batch of records to write")
    security_protocol: Literal["PLAINTEXT", "SASL_PLAINTEXT", "SSL", "SASL_SSL"] = Field(
        "PLAINTEXT", description="of the brokers' listener: SASL names a user, SSL encrypts (TLS)"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = Field(
        None, description="how the user proves the password"
    )
    username: str | None = Field(None, min_length=1, description="the user, with SASL")
    password: SecretStr | None = Field(None, min_length=1, description="the user's password, with SASL")
    password_file: FilePath | None = Field(None, description="or a file that holds it")
    ca_file: FilePath | None = Field(
        None, description="certificates (PEM) of the authorities to trust, with SSL; none: those of the system"
    )
    certificate_file: FilePath | None = Field(
        None, description="certificate chain (PEM) to show to brokers that ask for one"
    )
    key_file: FilePath | None = Field(None, description="its private key (PEM), unless certificate_file holds it too")
    key_password: SecretStr | None = Field(None, min_length=1, description="opens the private key")
    key_password_file: FilePath | None = Field(None, description="or a file that holds it")
    check_hostname: bool = Field(True, description="whether brokers' certificates must name the host that is called")

    @property
    def sasl(self) -> bool:
        """Whether clients name themselves with a user and a password."""
        return self.security_protocol.startswith("SASL_")

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.security_protocol.endswith("SSL")

    @model_validator(mode="after")
    def _security_agrees(self) -> KafkaSettings:
        given = {name for name in SECURITY_FIELDS if getattr(self, name) not in {None, True}}
        sasl, tls = given & SASL_FIELDS, given & TLS_FIELDS
        for secret in ("password", "key_password"):
            if {secret, f"{secret}_file"} <= given:
                raise ValueError(f"{secret} and {secret}_file are both set: leave one out")
        if sasl and not self.sasl:
            raise ValueError(
                f"{_listed(sasl)} would not be used with security_protocol {self.security_protocol}: "
                "set security_protocol to SASL_SSL (or SASL_PLAINTEXT)"
            )
        if self.sasl and not {"sasl_mechanism", "username"} <= sasl:
            raise ValueError(
                f"security_protocol {self.security_protocol} needs {_listed({'sasl_mechanism', 'username'} - sasl)}"
            )
        if self.sasl and not sasl & {"password", "password_file"}:
            raise ValueError(
                f"security_protocol {self.security_protocol} needs a password: set GROUNDSWELL_KAFKA__PASSWORD, or "
                "password_file to a file that holds it"
            )
        if tls and not self.tls:
            raise ValueError(
                f"{_listed(tls)} would not be used with security_protocol {self.security_protocol}: "
                "set security_protocol to SSL or SASL_SSL"
            )
        if tls & KEY_FIELDS and "certificate_file" not in tls:
            raise ValueError(f"{_listed(tls & KEY_FIELDS)} without certificate_file: set certificate_file as well")
        return self


SASL_FIELDS = {"sasl_mechanism", "username", "password", "password_file"}
KEY_FIELDS = {"key_file", "key_password", "key_password_file"}
TLS_FIELDS = KEY_FIELDS | {"ca_file", "certificate_file", "check_hostname"}
SECURITY_FIELDS = sorted(SASL_FIELDS | TLS_FIELDS)


def _listed(names: set[str]) -> str:
    return " and ".join(sorted(names))


class TopicSettings(BaseModel):
    """Names and partition counts of the topics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    impressions: str = "impressions"
    feedback: str = "feedback"
    interactions: str = "interactions"
    rewards: str = "rewards"
    policies: str = "policies"
    checkpoints: str = "checkpoints"
    signal_worth: str = "signal-worth"
    late_feedback: str = "late-feedback"
    dead_letter: str = "dead-letter"
    event_partitions: int = Field(4, ge=1, description="of impressions and feedback; the join scales by it")
    interaction_partitions: int = Field(4, ge=1, description="of interactions and checkpoints; models spread over it")
    retention_hours: float = Field(
        168.0, gt=0, description="of all but policies, checkpoints and signal worth, which are compacted"
    )


class HttpSettings(BaseModel):
    """Where the live page, metrics and health are served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to bind; 0.0.0.0 for all")
    port: int = Field(6066, ge=1, le=65_535, description="of the live page at /, /metrics, /healthz and /readyz")
    stuck_seconds: float = Field(
        120.0, gt=0, description="after which /healthz asks for a restart where nothing comes to its end"
    )


class LearningSettings(BaseModel):
    """How often policies are published and checkpoints written."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    publish_interactions: int = Field(
        500, gt=0, description="a policy is published after so many interactions, large ones after more"
    )
    publish_seconds: float = Field(10.0, gt=0, description="or after so many seconds, if there is anything new")
    checkpoint_seconds: float = Field(
        5.0,
        gt=0,
        description="between checkpoints, or 20 times what the last one took to encode (up to a minute) if that is "
        "more; offsets are committed with them",
    )


class SegmentSettings(BaseModel):
    """By which feature of the context a model's reward states are also counted, in metrics only.

    Choose one with a few values, such as country, platform or language: metrics show them. Never the user: the feature
    that `sharded_by` or `inverse_kinematics.user_feature` names is refused.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    feature: str = Field(min_length=1, max_length=128, description="name of the feature in the context")
    values: tuple[str, ...] = Field((), max_length=50, description="the segments; none: the first values that come")
    most: int = Field(10, ge=1, le=50, description="how many, where `values` names none; all others are one segment")


class Settings(BaseSettings):
    """Everything that can be set. `models` needs at least one entry for a worker to learn."""

    model_config = SettingsConfigDict(
        env_prefix="GROUNDSWELL_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        validate_default=True,
        hide_input_in_errors=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    topics: TopicSettings = TopicSettings()
    join: JoinConfig = JoinConfig()
    learning: LearningSettings = LearningSettings()
    http: HttpSettings = HttpSettings()
    max_ahead: float | None = Field(
        None,
        ge=0,
        allow_inf_nan=False,
        description="seconds by which an event time may lie ahead of its record's own time (it moves its log no "
        "further than that time); as it stands, and at the most, `join.backward` + `join.grace`",
    )
    spill_folder: DirectoryPath | None = Field(
        None,
        description="folder of a local disk for the payloads of pending impressions, where windows exceed memory; "
        "none: they stay in memory",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="the least that is logged")
    log_format: Literal["auto", "json", "text"] = Field(
        "auto", description="json: an object on each line; text: for people; auto: text on a terminal, json elsewhere"
    )
    models: dict[str, ModelConfig] = Field(default_factory=dict)
    segments: dict[str, SegmentSettings] = Field(default_factory=dict)

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

    @property
    def max_ahead_ms(self) -> int:
        """How far an event time may lie ahead of its record's own time, in ms."""
        bound = self.join.backward + self.join.grace
        return round(1000 * (bound if self.max_ahead is None else self.max_ahead))

    @model_validator(mode="after")
    def _no_clock_outruns_the_join(self) -> Settings:
        if self.max_ahead is not None and self.max_ahead > self.join.backward + self.join.grace:
            raise ValueError(
                f"max_ahead {self.max_ahead:g} exceeds join.backward + join.grace, "
                f"{self.join.backward + self.join.grace:g}: to an impression by a clock so far ahead all its feedback "
                "would be too early, and a watermark so far ahead would make what others log late"
            )
        return self

    @model_validator(mode="after")
    def _names_agree(self) -> Settings:
        for name, model in self.models.items():
            if model.name != name:
                raise ValueError(f"[models.{name}] calls itself {model.name!r}: leave `name` out or make them agree")
        return self

    @model_validator(mode="after")
    def _segments_are_of_models(self) -> Settings:
        if unknown := sorted(set(self.segments) - set(self.models)):
            raise ValueError(f"[segments.{unknown[0]}] is of no model: there is no [models.{unknown[0]}]")
        return self

    @model_validator(mode="after")
    def _segments_are_not_people(self) -> Settings:
        for name, segment in self.segments.items():
            model = self.models[name]
            spread = {
                "sharded_by": model.sharded_by,
                "inverse_kinematics.user_feature": model.inverse_kinematics.user_feature,
            }
            for setting, feature in spread.items():
                if feature == segment.feature:
                    raise ValueError(
                        f"[segments.{name}] counts by {feature!r}, which {setting} of [models.{name}] names: metrics "
                        "would show who people are. Choose a feature with a few values, such as platform or language"
                    )
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
        """Read arguments, environment, then the TOML file if there is one."""
        toml = (TomlConfigSettingsSource(settings_cls),) if settings_cls.model_config.get("toml_file") else ()
        return (init_settings, env_settings, *toml)


def load_settings(config: Path | None = None) -> Settings:
    """Return the settings, from this file where one is given.

    Raises `pydantic.ValidationError`, which names the field, and `FileNotFoundError`.
    """
    named = os.environ.get("GROUNDSWELL_CONFIG")
    path = config or (Path(named) if named else None)
    if path is not None and not path.is_file():
        raise FileNotFoundError(f"no configuration file at {path}; set GROUNDSWELL_CONFIG or --config to one")

    class SettingsOfFile(Settings):
        model_config = SettingsConfigDict(toml_file=path)

    settings: Settings = SettingsOfFile()
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS")
    if servers:
        kafka = settings.kafka.model_copy(update={"bootstrap_servers": servers})
        settings = settings.model_copy(update={"kafka": kafka})
    return settings
