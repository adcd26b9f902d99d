"""Starting Apache Kafka without Docker: what is missing is said, what cannot work is refused."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

import pytest

from experiments.servers import kafka_distribution
from experiments.servers.apache_kafka import ApacheKafka
from experiments.servers.kafka_distribution import CACHE_VARIABLE, POM, KafkaUnavailableError, jars, java
from experiments.servers.kafka_security import Certificates, Protocol, Security

CERTIFICATES = Certificates(authority=Path("authority.pem"), chain=Path("broker.pem"))


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is the whole PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    return folder


def install(folder: Path, name: str, script: str) -> None:
    shell = "/bin/sh"
    program = folder / name
    program.write_text(f"#!{shell}\n{script}\n")
    program.chmod(0o755)


def test_no_java_is_said_with_what_to_install(programs: Path) -> None:
    with pytest.raises(KafkaUnavailableError, match=r"no java on the PATH.*openjdk-17"):
        java()


def test_java_home_goes_before_the_path(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(programs, "java", """echo 'openjdk version "17.0.1"' >&2""")
    monkeypatch.setenv("JAVA_HOME", str(programs / "elsewhere"))
    with pytest.raises(KafkaUnavailableError, match=r"no java in \$JAVA_HOME"):
        java()


@pytest.mark.parametrize(
    ("told", "good"),
    [
        ('openjdk version "17.0.15" 2025-04-15', True),
        ('openjdk version "25" 2025-09-16', True),
        ('openjdk version "11.0.2" 2019-01-15', False),
        ('java version "1.8.0_451"', False),
        ("Segmentation fault", False),
    ],
)
def test_a_java_that_kafka_4_cannot_use_is_refused(programs: Path, told: str, good: bool) -> None:
    install(programs, "java", f"echo '{told}' >&2")
    if good:
        assert java() == str(programs / "java")
    else:
        with pytest.raises(KafkaUnavailableError, match="needs Java 17"):
            java()


def test_no_maven_and_no_jars_is_said_with_what_to_do(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    with pytest.raises(KafkaUnavailableError, match=r"no mvn on the PATH.*install Maven"):
        jars()


def test_jars_are_kept_in_a_checkout_or_with_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CACHE_VARIABLE, raising=False)
    assert kafka_distribution.cache_folder() == kafka_distribution.PROJECT / ".kafka"
    monkeypatch.setattr(kafka_distribution, "PROJECT", tmp_path / "site-packages")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert kafka_distribution.cache_folder() == tmp_path / "cache" / "groundswell"


def test_fetched_jars_need_no_maven(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    folder = tmp_path / f"kafka-{kafka_distribution.kafka_version()}"
    folder.mkdir()
    shutil.copyfile(POM, folder / "pom.xml")
    assert jars() == folder


def test_jars_of_another_pom_or_half_a_set_are_replaced(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    folder = tmp_path / f"kafka-{kafka_distribution.kafka_version()}"
    folder.mkdir()
    (folder / "stale.jar").touch()
    hashes = tmp_path / "jars.sha256"
    hashes.write_text(f"{hashlib.sha256(b'').hexdigest()}  fresh.jar\n")
    monkeypatch.setattr(kafka_distribution, "HASHES", hashes)
    # The last argument is -DoutputDirectory=FOLDER.
    install(programs, "mvn", 'for last; do :; done; : > "${last#*=}/fresh.jar"')
    assert sorted(path.name for path in jars().iterdir()) == ["fresh.jar", "pom.xml"]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("fetching")] == []


def test_jars_other_than_those_that_are_known_are_not_used(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    install(programs, "mvn", 'for last; do :; done; echo evil > "${last#*=}/kafka_2.13-4.3.1.jar"')
    with pytest.raises(KafkaUnavailableError, match="what mvn fetched is not what"):
        jars()
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_hashes_are_of_the_versions_that_the_pom_names() -> None:
    names = [line.split()[1] for line in kafka_distribution.HASHES.read_text().splitlines()]
    assert f"kafka_2.13-{kafka_distribution.kafka_version()}.jar" in names


def test_a_failing_maven_is_quoted(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    install(programs, "mvn", "echo '[ERROR] no route to the registry'; exit 1")
    with pytest.raises(KafkaUnavailableError, match="no route to the registry"):
        jars()


@pytest.mark.parametrize(
    ("protocol", "certificates", "authorise", "consequence"),
    [
        ("SASL_PLAINTEXT", None, False, "nobody could connect"),
        ("SSL", None, False, "could not start"),
        ("PLAINTEXT", None, True, "anonymous super-user"),
        ("SSL", CERTIFICATES, True, "anonymous super-user"),
    ],
)
def test_security_that_cannot_work_is_refused(
    protocol: Protocol, certificates: Certificates | None, authorise: bool, consequence: str
) -> None:
    with pytest.raises(ValueError, match=consequence):
        Security(protocol=protocol, certificates=certificates, authorise=authorise)


def test_two_brokers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="2 brokers"):
        ApacheKafka(tmp_path, 2)


def test_a_directory_keeps_its_ports_and_its_size(tmp_path: Path) -> None:
    first = ApacheKafka(tmp_path, 3)
    assert ApacheKafka(tmp_path, 3).bootstrap_servers == first.bootstrap_servers
    moved = ApacheKafka(tmp_path, 3, port=9_092)
    assert moved.bootstrap_servers == "127.0.0.1:9092,127.0.0.1:9093,127.0.0.1:9094"
    assert moved.administration == first.administration
    assert len(set(first.bootstrap_servers.split(",") + first.administration.split(","))) == 6
    with pytest.raises(ValueError, match="holds a cluster of 3 brokers"):
        ApacheKafka(tmp_path, 1)
