"""From settings to what each client needs in order to be let in: the one place where secrets are unwrapped.

kafka-python and aiokafka go by the same names; `streams.kafka.faust_security` has it for Faust.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from streams.settings import KafkaSettings

REQUEST_LOGGERS = ("aiokafka.conn", "kafka.admin.client", "kafka.net.connection", "kafka.protocol.parser")
"""Where the clients write whole requests at level DEBUG, with SASL/PLAIN that of the password; or their settings."""


class SecurityError(Exception):
    """A file with a secret, a certificate or a key cannot be used, or Kafka lets nobody in, or not so far.

    The message says which and what to do; it never holds a secret.
    """


def connection_arguments(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what clients of kafka-python and aiokafka need to connect. Raises `SecurityError`."""
    return {"bootstrap_servers": kafka.bootstrap_servers, **security_arguments(kafka)}


def security_arguments(kafka: KafkaSettings) -> dict[str, Any]:
    """Return what they need beyond the address. Raises `SecurityError`."""
    arguments: dict[str, Any] = {"security_protocol": kafka.security_protocol}
    if kafka.sasl:
        arguments |= {
            "sasl_mechanism": kafka.sasl_mechanism,
            "sasl_plain_username": kafka.username,
            "sasl_plain_password": _secret("password", kafka.password, kafka.password_file),
        }
    if kafka.tls:
        arguments["ssl_context"] = _tls_context(kafka)
    return arguments


def _tls_context(kafka: KafkaSettings) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=kafka.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise SecurityError(
            f"kafka.ca_file {kafka.ca_file} holds no PEM certificates: {error}. Name "
            "the PEM file of the authority that signed the brokers' certificates"
        ) from error
    context.check_hostname = kafka.check_hostname
    if kafka.certificate_file is not None:
        # Without a password OpenSSL would ask the terminal for one.
        password = _secret("key_password", kafka.key_password, kafka.key_password_file) or ""
        try:
            context.load_cert_chain(kafka.certificate_file, kafka.key_file, password)
        except (OSError, ssl.SSLError) as error:
            raise SecurityError(
                f"kafka.certificate_file {kafka.certificate_file} and its private key in "
                f"{kafka.key_file or 'the same file'} cannot be used: {error}. Both have to be PEM and belong "
                "together; an encrypted key needs kafka.key_password or kafka.key_password_file"
            ) from error
    return context


def _secret(name: str, given: SecretStr | None, file: Path | None) -> str | None:
    """Return the secret, from its file where it lies in one; the line end of an editor does not belong to it.

    From now on there is a secret to be kept: no client may write down what it sends.
    """
    for logger in map(logging.getLogger, REQUEST_LOGGERS):
        logger.setLevel(max(logging.INFO, logger.getEffectiveLevel()))
    if file is None:
        return None if given is None else given.get_secret_value()
    try:
        content = file.read_text().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        # The error of decoding quotes what it read.
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise SecurityError(
            f"kafka.{name}_file {file} cannot be read: {reason}. Name a file that holds the secret"
        ) from None
    if not content:
        raise SecurityError(f"kafka.{name}_file {file} is empty: write the secret into it")
    return content
