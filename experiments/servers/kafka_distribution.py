"""Where the jars of Apache Kafka and the Java that runs them come from.

The jars are Maven artefacts, named in kafka/pom.xml beside this file, fetched once into a cache folder and used from
there without a network.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path
from xml.etree import ElementTree

PROJECT = Path(__file__).resolve().parents[2]
POM = Path(__file__).resolve().parent / "kafka" / "pom.xml"
HASHES = POM.with_name("jars.sha256")
"""Of the jars, as `sha256sum` writes them."""
LOGGING = POM.with_name("log4j2.properties")
CACHE_VARIABLE = "GROUNDSWELL_KAFKA_CACHE"
OLDEST_JAVA = 17
"""Apache Kafka 4's brokers need it."""

_FETCH_SECONDS = 900.0


class KafkaUnavailableError(RuntimeError):
    """Apache Kafka cannot run here; the message says what is missing and how to get it."""


def kafka_version() -> str:
    """Return the version of Apache Kafka that the pom names."""
    namespace = {"pom": "http://maven.apache.org/POM/4.0.0"}
    version = ElementTree.parse(POM).findtext("pom:properties/pom:kafka.version", namespaces=namespace)
    if version is None:
        raise KafkaUnavailableError(f"{POM} names no <kafka.version>")
    return version


def cache_folder() -> Path:
    """Return where the jars are kept: $GROUNDSWELL_KAFKA_CACHE, or .kafka in a checkout, or the user's cache."""
    if named := os.environ.get(CACHE_VARIABLE):
        return Path(named).absolute()
    if (PROJECT / "pyproject.toml").exists():
        return PROJECT / ".kafka"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache").absolute() / "groundswell"


def java() -> str:
    """Return the path of a Java that can run the broker: $JAVA_HOME's, or the one on the PATH.

    Raises `KafkaUnavailableError` if there is none or if it is older than `OLDEST_JAVA`.
    """
    home = os.environ.get("JAVA_HOME")
    program = shutil.which("java", path=str(Path(home) / "bin")) if home else shutil.which("java")
    if program is None:
        where = f"in $JAVA_HOME ({home})" if home else "on the PATH"
        raise KafkaUnavailableError(
            f"no java {where}: install Java {OLDEST_JAVA} or newer (Debian: openjdk-17-jre-headless)"
        )
    asked = subprocess.run([program, "-version"], capture_output=True, text=True, check=False)
    found = re.search(r'version "(?:1\.)?(\d+)', asked.stderr)
    if found is None or int(found[1]) < OLDEST_JAVA:
        told = (asked.stderr or asked.stdout).strip().splitlines()[:1]
        raise KafkaUnavailableError(f"{program} says {told}: Apache Kafka 4 needs Java {OLDEST_JAVA} or newer")
    return program


def jars() -> Path:
    """Return the folder of the jars, fetching them with Maven the first time.

    Raises `KafkaUnavailableError` if Maven is needed and missing, cannot fetch them, or fetches others than those that
    are known.
    """
    folder = cache_folder() / f"kafka-{kafka_version()}"
    # The pom goes in last: a folder that holds this very pom is a complete set of its jars.
    if _same(folder / POM.name, POM):
        return folder
    maven = shutil.which("mvn")
    if maven is None:
        raise KafkaUnavailableError(
            f"no mvn on the PATH, and no jars in {folder}: install Maven (Debian: maven), or copy the folder "
            f"from a machine that has fetched them, or name a cache that holds them in ${CACHE_VARIABLE}"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="fetching-") as name:
        _fetch(maven, Path(name))
        _check(Path(name))
        _publish(Path(name), folder)
    return folder


def _fetch(maven: str, folder: Path) -> None:
    command = [
        maven, "--batch-mode", "--quiet", "--file", str(POM),
        "dependency:copy-dependencies", "-DincludeScope=runtime", f"-DoutputDirectory={folder}",
    ]  # fmt: skip
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            timeout=_FETCH_SECONDS,
        )
    except subprocess.TimeoutExpired as late:
        raise KafkaUnavailableError(f"mvn did not fetch Apache Kafka within {_FETCH_SECONDS:.0f} s") from late
    if done.returncode != 0:
        raise KafkaUnavailableError(f"mvn could not fetch Apache Kafka:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _check(folder: Path) -> None:
    """Raise `KafkaUnavailableError` unless the folder holds just the jars whose hashes are known."""
    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.jar")}
    lines = HASHES.read_text(encoding="ascii").splitlines()
    known = {name: digest for digest, name in (line.split(maxsplit=1) for line in lines)}
    other = sorted(name for name in found.keys() | known.keys() if found.get(name) != known.get(name))
    if other:
        raise KafkaUnavailableError(
            f"what mvn fetched is not what {HASHES} says: {', '.join(other[:5])} ({len(other)} in all). See which "
            "registry Maven asks; after a change of the pom, write the hashes anew (sha256sum *.jar)"
        )


def _publish(fetched: Path, folder: Path) -> None:
    """Put the fetched jars in their place; of several processes that fetched them at once, one wins."""
    # The temporary folder is readable by its owner only; the cache may be shared between users.
    fetched.chmod(0o755)
    shutil.copyfile(POM, fetched / POM.name)
    try:
        fetched.rename(folder)
    except OSError:
        if _same(folder / POM.name, POM):
            return
        shutil.rmtree(folder)
        fetched.rename(folder)
    fetched.mkdir()  # for the temporary directory's own clean-up to find


def _same(one: Path, other: Path) -> bool:
    return one.exists() and one.read_bytes() == other.read_bytes()
