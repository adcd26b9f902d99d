"""Which of Kafka's security settings a started broker has, and how a client matches them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Protocol = Literal["PLAINTEXT", "SASL_PLAINTEXT", "SASL_SSL", "SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]


@dataclass(frozen=True, kw_only=True)
class Certificates:
    """PEM files: the authority that both sides trust, and a certificate with its unencrypted PKCS #8 key.

    `chain` holds the private key followed by the certificate, in one file, as Kafka's PEM key stores want it;
    `client` the same of a client that brokers trust.
    """

    authority: Path
    chain: Path
    client: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Security:
    """The protection of the listener that clients use.

    `users` maps names to passwords, by `mechanism`; SCRAM's are written at formatting time. With `authorise`, nobody
    may do anything that an ACL does not allow, except through the administrative listener.
    """

    protocol: Protocol = "PLAINTEXT"
    users: Mapping[str, str] = field(default_factory=dict)
    mechanism: Mechanism = "SCRAM-SHA-512"
    certificates: Certificates | None = None
    demand_client_certificates: bool = False
    authorise: bool = False

    def __post_init__(self) -> None:
        if self.sasl and not self.users:
            raise ValueError(f"{self.protocol} without users: nobody could connect")
        if self.tls and self.certificates is None:
            raise ValueError(f"{self.protocol} without certificates: the broker could not start")
        if self.authorise and not self.sasl and not self.demand_client_certificates:
            raise ValueError(
                f"authorisation over {self.protocol}: every client would be the anonymous super-user; "
                "use SASL, or demand client certificates"
            )

    @property
    def sasl(self) -> bool:
        """Whether clients name themselves with a user and a password."""
        return self.protocol.startswith("SASL_")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol.endswith("SSL")

    def broker_properties(self) -> dict[str, str]:
        """Return the lines of server.properties that make the listener so."""
        lines: dict[str, str] = {}
        if self.sasl:
            lines |= {
                "sasl.enabled.mechanisms": self.mechanism,
                f"listener.name.client.{self.mechanism.lower()}.sasl.jaas.config": self._login_module(),
            }
        if self.certificates is not None:
            lines |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": str(self.certificates.chain),
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": str(self.certificates.authority),
                "ssl.client.auth": "required" if self.demand_client_certificates else "none",
            }
        if self.authorise:
            lines |= {
                "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                # Who comes through the unprotected loopback listeners: the brokers themselves and the tests.
                "super.users": "User:ANONYMOUS",
            }
        return lines

    def _login_module(self) -> str:
        package = "org.apache.kafka.common.security"
        if self.mechanism != "PLAIN":
            return f"{package}.scram.ScramLoginModule required;"
        users = " ".join(f'user_{name}="{password}"' for name, password in self.users.items())
        return f"{package}.plain.PlainLoginModule required {users};"

    def format_arguments(self) -> list[str]:
        """Return what kafka.tools.StorageTool is told about users."""
        return [
            argument
            for name, password in self.users.items()
            if self.mechanism != "PLAIN"
            for argument in ("--add-scram", f"{self.mechanism}=[name={name},password={password}]")
        ]

    def client_settings(self, user: str | None = None) -> dict[str, Any]:
        """Return kafka-python's settings for connecting as `user` (None: the first one)."""
        settings: dict[str, Any] = {"security_protocol": self.protocol}
        if self.sasl:
            name = user if user is not None else next(iter(self.users))
            settings |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": name,
                "sasl_plain_password": self.users[name],
            }
        if self.certificates is not None:
            settings["ssl_cafile"] = str(self.certificates.authority)
            if self.certificates.client is not None and self.demand_client_certificates:
                settings["ssl_certfile"] = str(self.certificates.client)
        return settings
