"""Finds out at the start whether Kafka lets this program in, and what it may not do there.

The clients themselves try again for ever, or for half a minute, and then say that nothing answered.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Coroutine, Iterable, Mapping
from contextlib import closing
from typing import Any

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import IllegalSaslStateError, SaslAuthenticationFailed, UnsupportedSaslMechanismError
from aiokafka.errors import KafkaError as AIOKafkaError
from aiokafka.protocol.metadata import MetadataRequest

from streams.kafka.security import SecurityError, security_arguments
from streams.observing.logs import get_log
from streams.settings import KafkaSettings

PATIENCE = 15.0
"""Seconds for which brokers may be away, as they are when both start together; a refusal is final at once."""
PATIENCE_OF_A_READER = 5.0
"""As much where somebody looks at a terminal."""
ATTEMPT_SECONDS = 5.0
LEAST_SECONDS = 1.0
"""What an attempt gets that begins shortly before patience ends."""
PAUSE_SECONDS = 0.25

LOG = get_log(__name__)


class UnreachableError(SecurityError):
    """No broker answers, or not under this security protocol."""


def check_connection(kafka: KafkaSettings, patience: float = PATIENCE) -> None:
    """Return once a broker has let us in and answered, and one can be reached where Kafka says that its brokers are.

    Raises `SecurityError` as soon as one refuses password or certificate, or is refused its own, and
    `UnreachableError` when for `patience` seconds none has answered. All are asked at the same time.
    """
    if kafka.security_protocol == "SASL_PLAINTEXT":
        LOG.warning(
            "messages can be read on the way, and altered: use SASL_SSL wherever others can reach the network",
            security_protocol=kafka.security_protocol,
            password_can_be_read=kafka.sasl_mechanism == "PLAIN",
        )
    asyncio.run(_check_connection(kafka, patience))


async def _check_connection(kafka: KafkaSettings, patience: float) -> None:
    arguments = security_arguments(kafka)
    deadline = time.monotonic() + patience
    while True:
        seconds = max(LEAST_SECONDS, min(ATTEMPT_SECONDS, deadline - time.monotonic()))
        hosts = [(host, port) for host, port, _ in collect_hosts(kafka.bootstrap_servers, randomize=False)]
        problems = await _first_fine(_look(host, port, arguments, kafka, seconds) for host, port in hosts)
        if not problems:
            return
        if time.monotonic() > deadline:
            raise UnreachableError(
                f"no Kafka broker answers: {'; '.join(problems)}. Check kafka.bootstrap_servers (or "
                "KAFKA_BOOTSTRAP_SERVERS), kafka.security_protocol, and whether Kafka runs"
            )
        await asyncio.sleep(PAUSE_SECONDS)


async def _first_fine(looks: Iterable[Coroutine[Any, Any, str | None]]) -> list[str]:
    """Return what all of these say, in their order; nothing as soon as one of them finds nothing wrong."""
    looking = [asyncio.create_task(one) for one in looks]
    try:
        for done in asyncio.as_completed(looking):
            if await done is None:
                return []
        return [told for one in looking if (told := one.result()) is not None]
    finally:
        for one in looking:
            one.cancel()
        await asyncio.gather(*looking, return_exceptions=True)


async def _look(host: str, port: int, arguments: Mapping[str, Any], kafka: KafkaSettings, seconds: float) -> str | None:
    """Return what is wrong with a broker, or None. Raises `SecurityError` where trying again will not mend it."""
    address = f"{host}:{port}"
    try:
        async with asyncio.timeout(seconds):
            named = await _knock(host, port, arguments)
    except (AIOKafkaError, OSError) as error:
        # With TLS 1.3 a client hears of its certificate only after the handshake, when it asks for something.
        told = error.__cause__ if isinstance(error.__cause__, ssl.SSLError) else error
        if refusal := _refusal(told, address, kafka):
            raise SecurityError(refusal) from error
        return f"{address} {_problem(error, kafka)}"
    elsewhere = await _first_fine(_connect(*one, seconds) for one in named if one != (host, port))
    if not elsewhere or (host, port) in named:
        return None
    return (
        f"{address} answers, but says that brokers are to be reached at {', '.join(elsewhere)}, where none is from "
        "here: let its advertised.listeners name an address that apps and this machine can reach"
    )


async def _knock(host: str, port: int, arguments: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Connect, prove who we are, and ask for something: only then is it certain that we are let in.

    Returns where Kafka says that its brokers are.
    """
    timeout = round(ATTEMPT_SECONDS * 1000)
    with closing(await create_conn(host, port, request_timeout_ms=timeout, **arguments)) as connection:
        answer = await connection.send(MetadataRequest([]))
    return [(str(broker[1]), int(broker[2])) for broker in answer.brokers]


async def _connect(host: str, port: int, seconds: float) -> str | None:
    """Return the address where nobody can be reached there, else None."""
    try:
        async with asyncio.timeout(seconds):
            _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return f"{host}:{port}"
    writer.close()
    return None


def _refusal(error: Exception, address: str, kafka: KafkaSettings) -> str | None:
    """Return what to say of an error that trying again will not mend."""
    match error:
        case SaslAuthenticationFailed():
            return (
                f"Kafka at {address} refuses user {kafka.username!r}: the password is wrong, or there is no such user "
                f"for {kafka.sasl_mechanism}. Check kafka.username and kafka.password (or kafka.password_file)"
            )
        case UnsupportedSaslMechanismError() | IllegalSaslStateError():
            return (
                f"Kafka at {address} does not offer {kafka.sasl_mechanism} on this listener: set kafka.sasl_mechanism "
                "(and kafka.security_protocol) to what it offers"
            )
        case ssl.SSLCertVerificationError(verify_message=message):
            return (
                f"the certificate of Kafka at {address} is not trusted: {message}. Set kafka.ca_file to the PEM file "
                "of the authority that signed it; where only the host name differs, call the broker by the name in "
                "its certificate, or set kafka.check_hostname to false"
            )
        case ssl.SSLError(reason=reason) if reason and "ALERT" in reason:
            return (
                f"Kafka at {address} refuses the TLS connection ({reason}): it may ask for a client certificate. "
                "Set kafka.certificate_file and kafka.key_file to one that it trusts"
            )
    return None


def _problem(error: Exception, kafka: KafkaSettings) -> str:
    match error:
        case ConnectionRefusedError():
            return "refuses connections"
        case TimeoutError():
            return "does not answer"
        case ssl.SSLError() | AIOKafkaError() | ConnectionError():
            return (
                f"breaks the connection off, as one does that expects another protocol than {kafka.security_protocol}"
                + (", or a client certificate (kafka.certificate_file) that it trusts" if kafka.tls else "")
            )
        case _:
            return f"cannot be reached ({error})"
