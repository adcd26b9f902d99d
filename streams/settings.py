"""The configuration: the only reader of the environment, but for the name of its own file on the command line.

From strongest to weakest: variables of the environment (`GROUNDSWELL_JOIN__WAIT=600`), the TOML file that
`GROUNDSWELL_CONFIG` names, defaults. `KAFKA_BOOTSTRAP_SERVERS` is understood as well, being what others use.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    DirectoryPath,
    Field,
    FilePath,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from processors.join.config import JoinConfig
from processors.models.config import ModelConfig
from streams.compression import DEFAULT, Compression
from streams.declared_settings import DeclarationError, Place, explained, line_of, missing_file, read_tables, unknown
from streams.host_names import ANY, is_loopback
from streams.words import nearest

PREFIX: Final = "GROUNDSWELL_"
BETWEEN: Final = "__"
COMMON: Final = "KAFKA_BOOTSTRAP_SERVERS"
"""The variable that others use, too."""


SERVER: Final = re.compile(r"(\[[0-9a-fA-F:.%]+\]|[^\s:/@,]+):[0-9]{1,5}")


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
    compression: Compression = Field(
        DEFAULT, description="of what workers write; lz4 takes five times as long here and makes it no smaller"
    )
    session_timeout: float = Field(10.0, gt=0, description="seconds after which a silent worker is dead")
    max_batch_bytes: int = Field(1_000_000, gt=16_384, description="largest batch of records to write")
    max_unpacked_bytes: int = Field(
        64_000_000,
        ge=1_000_000,
        description="what a batch of records may unpack to, at 200 bytes a record at least; one that is larger is "
        "passed over, and noted on dead-letter",
    )
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

    @field_validator("bootstrap_servers")
    @classmethod
    def _servers_have_ports(cls, servers: str) -> str:
        for server in servers.split(","):
            if not SERVER.fullmatch(server.strip()) or not 0 < int(server.rpartition(":")[2]) < 65_536:
                raise ValueError("must be host:port, several separated by commas, a port from 1 to 65535")
        return servers

    @model_validator(mode="after")
    def _own_batches_can_be_read(self) -> KafkaSettings:
        if self.max_unpacked_bytes < self.max_batch_bytes:
            raise ValueError(
                f"max_unpacked_bytes {self.max_unpacked_bytes} is below max_batch_bytes, {self.max_batch_bytes}: "
                "workers would pass over what they write themselves"
            )
        return self

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
HOST = re.compile(r"[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*")
KEY_FIELDS = {"key_file", "key_password", "key_password_file"}
TLS_FIELDS = KEY_FIELDS | {"ca_file", "certificate_file", "check_hostname"}
SECURITY_FIELDS = sorted(SASL_FIELDS | TLS_FIELDS)


def _listed(names: set[str]) -> str:
    return " and ".join(sorted(names))


TopicName = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]{1,249}$")]


class TopicSettings(BaseModel):
    """Names and partition counts of the topics."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    impressions: TopicName = "impressions"
    feedback: TopicName = "feedback"
    interactions: TopicName = "interactions"
    rewards: TopicName = "rewards"
    policies: TopicName = "policies"
    controls: TopicName = "controls"
    checkpoints: TopicName = "checkpoints"
    signal_worth: TopicName = "signal-worth"
    late_feedback: TopicName = "late-feedback"
    dead_letter: TopicName = "dead-letter"
    event_partitions: int = Field(4, ge=1, description="of impressions and feedback; the join scales by it")
    interaction_partitions: int = Field(4, ge=1, description="of interactions and checkpoints; models spread over it")
    retention_hours: float = Field(
        168.0, gt=0, description="of all but policies, controls, checkpoints and signal worth, which are compacted"
    )

    @model_validator(mode="after")
    def _each_is_one_of_its_own(self) -> TopicSettings:
        seen: dict[str, str] = {}
        for field, name in self.model_dump().items():
            if isinstance(name, str) and seen.setdefault(name, field) != field:
                raise ValueError(f"{seen[name]} and {field} are both {name!r}: give each a topic of its own")
        return self


def _host_alone(given: str) -> str:
    """Return the name of a host. Raises `ValueError` where it is an address of a page, or a pattern."""
    # Requests are compared with it letter by letter: what is more than a name would never be met.
    if given == "*" or HOST.fullmatch(given):
        return given
    held = re.split(r"[:/?#]", given.rpartition("://")[2])[0].removeprefix("*.").strip(". ")
    meant = f', such as "{held}"' if HOST.fullmatch(held) else ', such as "feed.example.org"'
    raise ValueError(
        f'"{given}" must be a name alone, without scheme, port, path or pattern{meant}; "*" stands for any'
    )


class HttpSettings(BaseModel):
    """Where the live page, metrics and health are served."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", description="address to bind; 0.0.0.0 for all")
    port: int = Field(6066, ge=1, le=65_535, description="of the live page at /, /metrics, /healthz and /readyz")
    stuck_seconds: float = Field(
        120.0, gt=0, description="after which /healthz asks for a restart where nothing comes to its end"
    )
    max_connections: int = Field(
        100, ge=8, le=10_000, description="at most; beyond, the one that has been idle for longest makes room"
    )
    idle_seconds: float = Field(
        15.0, gt=0, le=3_600, description="after which a connection without a (whole) request is closed"
    )
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host_alone)], ...] = Field(
        (),
        description="names with a dot under which the pages are answered, such as that of a proxy; addresses, names "
        "without a dot, `localhost`, `.local`, `.internal` and `.svc` always are. `*`: any",
    )


def _hash_of_token(given: str) -> str:
    """Return the hash of a token. Raises `ValueError` where it is none: the token itself, perhaps, so not quoted."""
    if not re.fullmatch("[0-9a-f]{64}", given):
        raise ValueError(
            "must be the hash of a token, 64 hexadecimal digits (0-9, a-f), and never the token itself; "
            "`groundswell hash-token` makes one"
        )
    return given


class TokenSettings(BaseModel):
    """Who may ask `groundswell serve`, and about which models. Where there is no such section, anybody may.

    NAME is for people and metrics; the token itself stands nowhere: `groundswell hash-token` makes one and its hash.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    sha256: Annotated[str, AfterValidator(_hash_of_token)] = Field(
        description="SHA-256 of the token, in hexadecimal digits (`groundswell hash-token`)"
    )
    models: tuple[str, ...] = Field(
        description='models that may be asked about, `["*"]` for any; none: `/metrics` alone, as for Prometheus'
    )


class ServeSettings(BaseModel):
    """How `groundswell serve` answers apps that ask over HTTP. docs/serving.md has more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field("127.0.0.1", min_length=1, description="address to bind; beyond loopback needs tokens")
    port: int = Field(6080, ge=1, le=65_535, description="of the API, /metrics, /healthz and /readyz")
    allowed_hosts: tuple[Annotated[str, AfterValidator(_host_alone)], ...] = Field(
        (), description="names with a dot under which it answers; as `http.allowed_hosts`"
    )
    certificate_file: FilePath | None = Field(
        None, description="certificate chain (PEM) to serve HTTPS by; none: HTTP, as behind a proxy"
    )
    key_file: FilePath | None = Field(None, description="its private key (PEM), unless certificate_file holds it too")
    max_body_bytes: int = Field(
        262_144, ge=1_024, le=700_000, description="of a request; what is larger is answered with 413"
    )
    max_terms: int = Field(
        1_000_000,
        ge=1_000,
        le=100_000_000,
        description="of a decision: features of the context (and their pairs, with `context_crosses`), times actions, "
        "times features of the action that has the most. A million takes about 10 ms, in which nothing else is done",
    )
    max_concurrent: int = Field(
        16,
        ge=1,
        le=10_000,
        description="requests that wait to be decided at a time; what is beyond gets 429. Each takes less than a "
        "millisecond of the core, which all behind it wait for. What waits for Kafka is not counted",
    )
    requests_per_second: float = Field(
        1_000.0, gt=0, le=1e6, description="of each token, or without tokens of all; what is beyond gets 429"
    )
    max_connections: int = Field(
        500, ge=8, le=100_000, description="at most; beyond, the one that has been idle for longest makes room"
    )
    idle_seconds: float = Field(
        15.0, gt=0, le=3_600, description="after which a connection without a (whole) request is closed"
    )
    write_seconds: float = Field(
        2.0, ge=0.1, le=60, description="for Kafka to acknowledge an impression or feedback; then the answer is 503"
    )
    drain_seconds: float = Field(
        10.0, ge=0, le=600, description="for requests and writes under way, when it is asked to end (SIGTERM)"
    )
    keep_folder: DirectoryPath | None = Field(
        None, description="folder in which the last policies and controls are kept, for a start while Kafka is away"
    )
    tokens: dict[str, TokenSettings] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _reached_by_whom_it_may_be(self) -> ServeSettings:
        if not self.tokens and not is_loopback(self.host):
            raise ValueError(
                f"host {self.host} lets others in, and there are no tokens: anybody who reaches it could decide and "
                "write feedback. Add [serve.tokens.NAME] (`groundswell hash-token`), or bind 127.0.0.1"
            )
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file without certificate_file: set certificate_file as well")
        return self


class SignatureSettings(BaseModel):
    """Signatures of checkpoints and policies (Ed25519). docs/security.md has more."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    private_key_file: FilePath | None = Field(
        None, description="the worker's private key (PEM), by which it signs what it writes; none: nothing is signed"
    )
    private_key: SecretStr | None = Field(None, min_length=1, description="or the key itself")
    public_key_files: tuple[FilePath, ...] = Field(
        (),
        description="public keys (PEM) that are trusted: checkpoints and policies that none of them has signed are not "
        "believed; none: signatures are not looked at",
    )

    @model_validator(mode="after")
    def _one_private_key(self) -> SignatureSettings:
        if self.private_key is not None and self.private_key_file is not None:
            raise ValueError("private_key and private_key_file are both set: leave one out")
        return self

    @property
    def private_pem(self) -> bytes | None:
        """The private key, if there is one."""
        if self.private_key_file is not None:
            return self.private_key_file.read_bytes()
        return None if self.private_key is None else self.private_key.get_secret_value().encode()


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
    serve: ServeSettings = ServeSettings()
    signatures: SignatureSettings = SignatureSettings()
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

    def no_such_model(self, name: str) -> str:
        """Return what is the matter with the name of a model that is not configured."""
        if not self.models:
            return (
                f"no model is configured: name the file that has [models.{name}] (--config, or GROUNDSWELL_CONFIG), or "
                "add it"
            )
        close = nearest(name, self.models)
        there = ", ".join(sorted(self.models))
        hint = f"did you mean {close!r}?" if close else f"name one of those (--config), or add [models.{name}]"
        return f"no model {name!r} is configured; there are {there}: {hint}"

    @model_validator(mode="after")
    def _tokens_are_for_models(self) -> Settings:
        for name, token in self.serve.tokens.items():
            for model in token.models:
                if model not in self.models and model != ANY:
                    raise ValueError(f"[serve.tokens.{name}] names a model that is none: {self.no_such_model(model)}")
        hashes = [token.sha256 for token in self.serve.tokens.values()]
        if len(set(hashes)) < len(hashes):
            raise ValueError("two sections [serve.tokens.NAME] have the same sha256: leave one out")
        return self

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


_SECRET: Final[tuple[Place, ...]] = (
    ("kafka",),
    ("signatures",),
    ("serve", "key_file"),
    ("serve", "tokens", ANY, "sha256"),
)
"""Where passwords, keys and tokens stand, or may have been put instead of their file or hash."""


def _may_be_shown(place: Place) -> bool:
    """Say whether faults may quote what was given: not a secret, nor what holds one as a whole, as text of JSON."""
    return not any(all(own in {ANY, part} for own, part in zip(secret, place, strict=False)) for secret in _SECRET)


_NESTED: Final = {
    f"{PREFIX}{table}_{setting}".upper(): f"{PREFIX}{table}{BETWEEN}{setting}".upper()
    for table, kind in (
        ("http", HttpSettings), ("join", JoinConfig), ("kafka", KafkaSettings), ("learning", LearningSettings),
        ("serve", ServeSettings), ("topics", TopicSettings),
    )
    for setting in kind.model_fields
}  # fmt: skip
"""Variables with one underscore for two, and what they may mean."""
_AS_WRITTEN: Final = (COMMON, f"{PREFIX}CONFIG")
"""Those that are read in capitals alone."""
_OURS: Final = (*_AS_WRITTEN, *(PREFIX + one.upper() for one in Settings.model_fields), *_NESTED.values())
_LIKE_OURS: Final = re.compile("KAFKA|GROUND|SWELL")
_NEARLY: Final = 0.93
"""How much alike a variable of another name must be to be thought of (`difflib`): a letter or two are wrong."""
_OF_A_SERVICE: Final = re.compile(r"_SERVICE_(HOST|PORT)")
"""What Kubernetes calls the variables by which it names services, of whatever name."""


class Variables(EnvSettingsSource):
    """The environment. Text where JSON is expected stays text, so that it is refused by the setting's own name."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """Return what JSON holds, or the text that is none."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def named_by_environment() -> Path | None:
    """Return the file that holds the settings where no other is named."""
    named = os.environ.get(f"{PREFIX}CONFIG")
    return Path(named) if named else None


def load_settings(config: Path | None = None) -> Settings:
    """Return the settings, from this file where one is given.

    Raises `DeclarationError`, which says of each fault where it was set and which setting it is.
    """
    path = config or named_by_environment()
    if path is not None and not path.is_file():
        raise DeclarationError(f"no configuration: {missing_file(path)}; name one with --config or {PREFIX}CONFIG")
    text, tables = ("", {}) if path is None else read_tables(path)
    if "impression_id" in tables:
        raise DeclarationError(f"{path}: is a mapping of `replay`, which --mapping names; --config names the settings")

    class SettingsOfFile(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,
            file_secret_settings: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, Variables(settings_cls), InitSettingsSource(settings_cls, init_kwargs=tables)

    def source(place: Place) -> str:
        variable = _variable_of(place)
        if variable is not None:
            return variable
        line = line_of(text, place)
        return str(path or "settings") if line is None else f"{path}:{line}"

    misspelt = "\n".join(_misspelt_variables())
    if misspelt:
        raise DeclarationError(misspelt)
    servers = os.environ.get(COMMON)
    above: dict[str, Any] = {"kafka": {"bootstrap_servers": servers}} if servers else {}
    try:
        return SettingsOfFile(**above)
    except ValidationError as error:
        raise explained(error, Settings, source, quoted=_may_be_shown) from None
    except RecursionError:
        raise DeclarationError(
            f"a variable {PREFIX}… holds JSON that is nested too deep: nothing here needs so many lists or tables"
        ) from None


def _variable_of(place: Place) -> str | None:
    """Return the variable that a setting, or a table around it, was taken from."""
    if place == ("kafka", "bootstrap_servers") and os.environ.get(COMMON):
        return COMMON
    given = {name.upper(): name for name in os.environ}
    whole = [PREFIX + BETWEEN.join(str(part) for part in place[:depth]).upper() for depth in range(len(place), 0, -1)]
    return next((given[name] for name in whole if name in given), None)


def _misspelt_variables() -> Iterator[str]:
    """Yield what to say of variables that look like ours and set nothing.

    Others may begin alike: Kubernetes names a service's `GROUNDSWELL_PORT` and the like, without our `__`.
    """
    for name in sorted(os.environ):
        table, within, _ = name.upper().removeprefix(PREFIX).lower().partition(BETWEEN)
        if name.upper().startswith(PREFIX) and within:
            if table not in Settings.model_fields:
                yield f"{name}: {unknown((table,), Settings, is_table=True)}"
        elif _OF_A_SERVICE.search(name) or os.environ[name].startswith("tcp://"):
            continue
        elif meant := _NESTED.get(name.upper()):
            yield f"{name}: sets nothing; did you mean {meant}, with two underscores?"
        elif (near := _nearly(name)) and near not in os.environ:
            yield f"{name}: sets nothing; did you mean {near}? Where it is another program's, set that one as well"


def _nearly(name: str) -> str | None:
    """Return the variable of ours that is written nearly so; None where this is one of ours, or is like none."""
    is_ours = name in _AS_WRITTEN or (name.upper() in _OURS and name.upper() not in _AS_WRITTEN)
    if is_ours or not _LIKE_OURS.search(name.upper()):
        return None
    close = get_close_matches(name.upper(), _OURS, n=1, cutoff=_NEARLY)
    return close[0] if close else None
