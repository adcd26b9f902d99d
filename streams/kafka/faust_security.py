"""What Faust is told of Kafka's security, and what is taken from it for our own."""

from __future__ import annotations

import faust
from faust.serializers.codecs import codecs

from streams.kafka.security import security_arguments
from streams.settings import KafkaSettings


def faust_credentials(kafka: KafkaSettings) -> faust.SASLCredentials | faust.SSLCredentials | None:
    """Return what Faust needs to be let in: None where nobody is asked for anything. Raises `SecurityError`."""
    arguments = security_arguments(kafka)
    context = arguments.get("ssl_context")
    if kafka.sasl:
        return faust.SASLCredentials(
            username=arguments["sasl_plain_username"],
            password=arguments["sasl_plain_password"],
            mechanism=arguments["sasl_mechanism"],
            ssl_context=context,
        )
    return faust.SSLCredentials(context) if kafka.tls else None


def remove_unsafe_codecs() -> None:
    """Take the serialisers that can run code out of Faust's registry, so that nothing can choose them by name."""
    for name in [name for name in codecs if "pickle" in name or name == "yaml"]:
        del codecs[name]
