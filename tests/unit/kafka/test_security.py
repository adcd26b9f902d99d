"""From settings to clients: contradictions are refused, and secrets stay where they are."""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

import faust
import pytest
import trustme
from pydantic import ValidationError

from streams.declared_settings import DeclarationError
from streams.documents import documents
from streams.kafka.faust_security import faust_credentials
from streams.kafka.security import SecurityError, connection_arguments
from streams.settings import KafkaSettings, Settings, load_settings

SECRET = "hunter2-s3cret"
USER = {"sasl_mechanism": "SCRAM-SHA-512", "username": "worker", "password": SECRET}
HERE = Path(__file__)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"username": "worker"}, "username would not be used with security_protocol PLAINTEXT: set security_protocol"),
        (USER, "password and sasl_mechanism and username would not be used"),
        ({**USER, "security_protocol": "SSL"}, "set security_protocol to SASL_SSL"),
        ({**USER, "security_protocol": "SASL_SSL", "sasl_mechanism": None}, "SASL_SSL needs sasl_mechanism"),
        ({"security_protocol": "SASL_PLAINTEXT", "password": SECRET}, "needs sasl_mechanism and username"),
        ({**USER, "security_protocol": "SASL_SSL", "password": None}, "needs a password: set GROUNDSWELL_KAFKA__PASS"),
        ({**USER, "security_protocol": "SASL_SSL", "password_file": HERE}, "password and password_file are both set"),
        ({"ca_file": HERE}, "ca_file would not be used with security_protocol PLAINTEXT"),
        ({"check_hostname": False}, "check_hostname would not be used"),
        ({**USER, "security_protocol": "SASL_PLAINTEXT", "ca_file": HERE}, "set security_protocol to SSL or SASL_SSL"),
        ({"security_protocol": "SSL", "key_password": SECRET}, "key_password without certificate_file"),
        ({"security_protocol": "SSL", "ca_file": "/nowhere"}, "Path does not point to a file"),
        ({"security_protocol": "TLS"}, "Input should be 'PLAINTEXT'"),
        ({"pasword": SECRET}, "Extra inputs are not permitted"),
    ],
)
def test_contradictions_are_refused_with_what_to_do_and_without_the_secret(given: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        KafkaSettings.model_validate(given)
    assert said in str(refused.value)
    assert SECRET not in str(refused.value)


def test_a_misspelt_variable_does_not_show_its_value(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_KAFKA__PASWORD", SECRET)
    with pytest.raises(DeclarationError, match=r"no setting `pasword` in \[kafka\]; did you mean") as refused:
        load_settings()
    assert SECRET not in str(refused.value)


def test_a_secret_is_in_no_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_KAFKA__PASSWORD", SECRET)
    kafka = KafkaSettings.model_validate({**USER, "security_protocol": "SASL_SSL"})
    settings = Settings(kafka=kafka)
    credentials = faust_credentials(kafka)
    for text in (str(settings), repr(settings), settings.model_dump_json(), repr(credentials), *documents().values()):
        assert SECRET not in text
    assert connection_arguments(kafka)["sasl_plain_password"] == SECRET


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_password_lies_in_a_file_with_or_without_a_line_end(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(f" {SECRET} {ending}".encode())
    kafka = KafkaSettings(
        security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", username="worker", password_file=file
    )
    assert connection_arguments(kafka)["sasl_plain_password"] == f" {SECRET} "
    credentials = faust_credentials(kafka)
    assert isinstance(credentials, faust.SASLCredentials)
    assert credentials.password == f" {SECRET} "


@pytest.mark.parametrize(("content", "said"), [(b"", "is empty"), (b"\xff" + SECRET.encode(), "it is not text")])
def test_an_unusable_secret_file_is_named_and_not_quoted(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "password"
    file.write_bytes(content)
    kafka = KafkaSettings(
        security_protocol="SASL_PLAINTEXT", sasl_mechanism="PLAIN", username="worker", password_file=file
    )
    with pytest.raises(SecurityError, match=f"kafka.password_file {file} .*{said}") as refused:
        connection_arguments(kafka)
    assert SECRET not in str(refused.value)


def test_clients_do_not_write_down_what_they_send(caplog: pytest.LogCaptureFixture) -> None:
    connection_arguments(KafkaSettings.model_validate({**USER, "security_protocol": "SASL_PLAINTEXT"}))
    caplog.set_level(logging.DEBUG)
    for client in ("aiokafka.conn", "kafka.admin.client", "kafka.net.connection", "kafka.protocol.parser"):
        assert not logging.getLogger(client).isEnabledFor(logging.DEBUG)


def test_certificates_are_checked_unless_told_otherwise(tmp_path: Path) -> None:
    authority, certificate = pem_files(tmp_path)
    kafka = KafkaSettings(security_protocol="SSL", ca_file=authority, certificate_file=certificate)
    context = connection_arguments(kafka)["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    lenient = connection_arguments(kafka.model_copy(update={"check_hostname": False}))["ssl_context"]
    assert (lenient.verify_mode, lenient.check_hostname) == (ssl.CERT_REQUIRED, False)
    assert isinstance(faust_credentials(kafka), faust.SSLCredentials)


def test_files_without_certificates_or_keys_are_named(tmp_path: Path) -> None:
    authority, _ = pem_files(tmp_path)
    with pytest.raises(SecurityError, match=r"kafka\.ca_file .* holds no PEM certificates"):
        connection_arguments(KafkaSettings(security_protocol="SSL", ca_file=HERE))
    keyless = KafkaSettings(security_protocol="SSL", ca_file=authority, certificate_file=authority)
    with pytest.raises(SecurityError, match=r"kafka\.certificate_file .* cannot be used"):
        connection_arguments(keyless)


def test_nobody_is_asked_where_nothing_is_set() -> None:
    assert connection_arguments(KafkaSettings()) == {
        "bootstrap_servers": "127.0.0.1:9092",
        "security_protocol": "PLAINTEXT",
    }
    assert faust_credentials(KafkaSettings()) is None


def pem_files(folder: Path) -> tuple[Path, Path]:
    authority, certificate = folder / "authority.pem", folder / "certificate.pem"
    issuer = trustme.CA()
    issuer.cert_pem.write_to_path(str(authority))
    issuer.issue_cert("worker").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    return authority, certificate
