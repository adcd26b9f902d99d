"""What a worker's image is made of: by its hashes, without the embedded broker, and listed with its licences."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[3]
LOCK, WORKERS, TOOLS = (
    (PROJECT / name).read_text()
    for name in ("requirements.lock", "requirements-worker.lock", "deploy/supply-tools.lock")
)
PIN = re.compile(r"^([\w.-]+)(?:\[.*?\])?==(\S+)(?: ; [^\\\n]+)? ?(\\)?$", re.MULTILINE)


def pinned(lock: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for name, version, _ in PIN.findall(lock):
        found.setdefault(name, set()).add(version)
    return found


def test_the_image_installs_what_is_pinned_by_its_hashes_and_fetches_nothing_to_build() -> None:
    dockerfile = (PROJECT / "deploy" / "Dockerfile").read_text()
    installs = re.findall(r"^RUN pip install (.+)$", dockerfile, re.MULTILINE)
    assert installs == [
        "--require-hashes --requirement requirements-worker.lock",
        "--no-deps --no-build-isolation ./groundswell .",
    ]
    assert "setuptools" in pinned(WORKERS)


def test_an_image_has_neither_the_embedded_broker_nor_the_tools_of_a_checkout() -> None:
    assert not {"noida-db", "matplotlib", "jinja2", "pytest", "hypothesis", "mypy", "playwright"} & set(pinned(WORKERS))
    assert {"faust-streaming", "numba", "cryptography", "polars"} <= set(pinned(WORKERS))


def test_an_image_has_the_versions_that_are_tested() -> None:
    tested = pinned(LOCK)
    assert {name: versions for name, versions in pinned(WORKERS).items() if versions != tested.get(name)} == {}


@pytest.mark.parametrize("lock", [LOCK, WORKERS, TOOLS], ids=["checkout", "worker", "tools"])
def test_everything_that_is_pinned_has_hashes(lock: str) -> None:
    blocks = re.split(r"^(?=\S)", lock, flags=re.MULTILINE)
    assert [block for block in blocks if "==" in block.partition("\n")[0] and "--hash=sha256:" not in block] == []
    assert len(pinned(lock)) > 20


def test_the_notices_list_what_is_in_an_image_and_nothing_else() -> None:
    table = (PROJECT / "docs" / "third-party.md").read_text()
    listed = dict(re.findall(r"^\| ([\w.-]+) \| (.+) \|$", table, re.MULTILINE))
    del listed["package"]
    assert set(listed) == set(pinned(WORKERS))
    assert all(licence.strip() for licence in listed.values())


@pytest.mark.parametrize(
    ("dependencies", "says", "fails"),
    [
        ([{"name": "a", "skip_reason": "not found"}], "nothing was audited", False),
        (
            [{"name": "a", "version": "1", "vulns": []}, {"name": "b", "skip_reason": "?"}],
            "1 packages audited, 1 not",
            False,
        ),
        (
            [{"name": "a", "version": "1", "vulns": [{"id": "X-1", "fix_versions": ["2"]}]}],
            "a 1: X-1, mended in 2",
            True,
        ),
    ],
    ids=["no source", "well", "vulnerable"],
)
def test_an_audit_says_what_it_could_not_look_at(dependencies: list[dict[str, Any]], says: str, fails: bool) -> None:
    lines, failed = runpy.run_path(str(PROJECT / "deploy" / "audit.py"))["told"](dependencies)
    assert says in "\n".join(lines)
    assert failed == fails
