"""Worker, `topics create` and `replay` against an Apache Kafka that asks who they are."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.kafka_security import Mechanism, Protocol, Security
from tests.integration.certificates import certificates, strangers_certificate
from tests.integration.secured import ROWS, USERS, CommandLine, rewards, wait_for

pytestmark = [pytest.mark.kafka, pytest.mark.timeout(400)]

WRONG_PASSWORD = "gu3ssed-s3cret"
REFUSED = 2
SECONDS_TO_REFUSE = 45.0
"""Of which most is Python starting on a busy machine."""


@pytest.mark.parametrize(
    ("protocol", "mechanism"),
    [
        ("SASL_PLAINTEXT", "PLAIN"),
        ("SSL", None),  # with certificates on both sides
        ("SASL_SSL", "SCRAM-SHA-256"),
    ],
)
def test_it_learns_when_it_may_and_says_why_it_may_not(
    tmp_path: Path, protocol: Protocol, mechanism: Mechanism | None
) -> None:
    security = Security(
        protocol=protocol,
        users=USERS if mechanism else {},
        mechanism=mechanism or "PLAIN",
        certificates=certificates(tmp_path) if protocol.endswith("SSL") else None,
        demand_client_certificates=protocol == "SSL",
    )
    with ApacheKafka(tmp_path / "kafka", security=security) as kafka:
        command = CommandLine(tmp_path, kafka.bootstrap_servers)
        right = settings(security, tmp_path)
        status, output = command.run("topics", "create", settings=right)
        assert status == 0, output
        with command.worker(right) as worker:
            status, output = command.replay(right)
            assert status == 0, output
            wait_for(lambda: rewards(kafka) == ROWS, worker)
        (wrong, reason), *others = wrongs(right, tmp_path)
        assert_refused(reason, *attempts(command, wrong))
        for wrong, reason in others:
            assert_refused(reason, attempts(command, wrong)[0])
        for secret in [*USERS.values(), WRONG_PASSWORD]:
            assert secret not in command.printed
        assert "Traceback" not in command.printed


def settings(security: Security, folder: Path) -> dict[str, str]:
    """The variables with which the worker gets in; the password lies in a file."""
    variables: dict[str, str] = {"GROUNDSWELL_KAFKA__SECURITY_PROTOCOL": security.protocol}
    if security.sasl:
        secret = folder / "password"
        secret.write_text(USERS["worker"] + "\n")
        variables |= {
            "GROUNDSWELL_KAFKA__SASL_MECHANISM": security.mechanism,
            "GROUNDSWELL_KAFKA__USERNAME": "worker",
            "GROUNDSWELL_KAFKA__PASSWORD_FILE": str(secret),
        }
    if security.certificates is not None:
        variables["GROUNDSWELL_KAFKA__CA_FILE"] = str(security.certificates.authority)
    if security.certificates is not None and security.demand_client_certificates:
        variables["GROUNDSWELL_KAFKA__CERTIFICATE_FILE"] = str(security.certificates.client)
    return variables


def wrongs(right: dict[str, str], folder: Path) -> list[tuple[dict[str, str], str]]:
    """What is not let in, and what is said of it."""
    wrong = []
    if "GROUNDSWELL_KAFKA__PASSWORD_FILE" in right:
        others = {name: value for name, value in right.items() if not name.endswith("PASSWORD_FILE")}
        guess = {**others, "GROUNDSWELL_KAFKA__PASSWORD": WRONG_PASSWORD}
        wrong.append((guess, "refuses user 'worker': the password is wrong"))
    if "GROUNDSWELL_KAFKA__CA_FILE" in right:
        distrustful = {name: value for name, value in right.items() if not name.endswith("CA_FILE")}
        wrong.append((distrustful, "is not trusted: unable to get local issuer certificate. Set kafka.ca_file"))
    if "GROUNDSWELL_KAFKA__CERTIFICATE_FILE" in right:
        nameless = {name: value for name, value in right.items() if not name.endswith("CERTIFICATE_FILE")}
        wrong.append((nameless, "client certificate"))
        stranger = {**right, "GROUNDSWELL_KAFKA__CERTIFICATE_FILE": str(strangers_certificate(folder))}
        wrong.append((stranger, "client certificate"))
    return wrong


def attempts(command: CommandLine, wrong: dict[str, str]) -> list[Callable[[], tuple[int, str]]]:
    """Every command that talks to Kafka."""
    return [
        lambda: command.run("worker", settings=wrong),
        lambda: command.run("topics", "create", settings=wrong),
        lambda: command.replay(wrong),
    ]


def assert_refused(reason: str, *attempts: Callable[[], tuple[int, str]]) -> None:
    for attempt in attempts:
        started = time.monotonic()
        status, output = attempt()
        assert status == REFUSED, output
        assert reason in output
        assert time.monotonic() - started < SECONDS_TO_REFUSE
