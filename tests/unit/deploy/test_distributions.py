"""The two distributions: what each holds, and that they fit together. Built from a copy, without an index."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from experiments.servers.kafka_distribution import PROJECT

APPS, WORKER = PROJECT / "groundswell", PROJECT
WORKERS_FOLDERS = ["processors", "state", "streams", "experiments"]
LEFTOVERS = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")


@cache
def declared(folder: Path) -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    return project


def built(kind: str, source: Path, out: Path) -> Path:
    """Build a wheel or an sdist as pip does, but with the setuptools that is here."""
    program = f"from setuptools import build_meta; build_meta.build_{kind}({str(out)!r})"
    out.mkdir(exist_ok=True)
    before = set(out.iterdir())
    subprocess.run([sys.executable, "-c", program], cwd=source, check=True, capture_output=True, text=True)
    (made,) = set(out.iterdir()) - before
    return made


def content(wheel: Path) -> set[str]:
    return {name for name in ZipFile(wheel).namelist() if ".dist-info/" not in name}


def files(*folders: str, kinds: str = "*") -> set[str]:
    here = {path for folder in folders for path in (PROJECT / folder).rglob(kinds) if path.is_file()}
    names = {path.relative_to(PROJECT).as_posix() for path in here}
    return {name for name in names if not re.search(r"__pycache__/|/build/|\.egg-info/", name)}


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copied_source(tmp_path_factory.mktemp("source"))


def copied_source(copy: Path) -> Path:
    """Copy what both distributions are built from into a folder, and return it."""
    copy.mkdir(exist_ok=True)
    for folder in ("groundswell", *WORKERS_FOLDERS):
        shutil.copytree(PROJECT / folder, copy / folder, ignore=LEFTOVERS)
    for file in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / file, copy)
    return copy


def test_the_wheel_for_apps_holds_what_they_import_and_nothing_else(source: Path, tmp_path: Path) -> None:
    wheel = built("wheel", source / "groundswell", tmp_path)
    assert content(wheel) == files("groundswell", kinds="*.py") | {"groundswell/py.typed"}


def test_so_does_the_one_made_from_its_sdist(source: Path, tmp_path: Path) -> None:
    with tarfile.open(built("sdist", source / "groundswell", tmp_path / "sdist")) as archive:
        archive.extractall(tmp_path, filter="data")
    (unpacked,) = tmp_path.glob("groundswell-*")
    wheel = built("wheel", unpacked, tmp_path / "wheel")
    assert content(wheel) == files("groundswell", kinds="*.py") | {"groundswell/py.typed"}


def test_the_wheel_of_the_worker_holds_every_file_of_its_folders_and_none_for_apps(
    source: Path, tmp_path: Path
) -> None:
    held = content(built("wheel", source, tmp_path))
    assert held == files(*WORKERS_FOLDERS)
    assert {
        "streams/http/page/index.html",
        "experiments/demo/report.html.j2",
        "experiments/demo/demo.toml",
        "experiments/papers/templates/experiments.html",
    } <= held


def test_both_carry_one_version_and_ask_for_just_that_of_each_other() -> None:
    apps, worker = declared(APPS), declared(WORKER)
    version = apps["version"]
    assert worker["version"] == version
    assert [one for one in worker["dependencies"] if one.startswith("groundswell")] == [f"groundswell=={version}"]
    assert apps["optional-dependencies"] == {
        "signatures": [one for one in worker["dependencies"] if one.startswith("cryptography")],
        "worker": [f"groundswell-worker=={version}"],
        **{extra: [f"groundswell-worker[{extra}]=={version}"] for extra in ("replay", "serve", "demo", "bench")},
    }


def test_the_sdist_of_the_worker_is_the_whole_checkout(tmp_path: Path) -> None:
    if not (PROJECT / ".git").exists():
        pytest.skip("no checkout: what belongs to it is not known")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PROJECT, check=True, capture_output=True, text=True)
    tracked = {name for name in listed.stdout.split("\0") if name and (PROJECT / name).exists()}
    copy = tmp_path / "checkout"
    for name in tracked:
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / name, copy / name)
    with tarfile.open(built("sdist", copy, tmp_path / "sdist")) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    assert tracked <= held
    assert {name for name in held - tracked if re.search(r"\.pyc$|/build/", name)} == set()


def test_both_carry_the_same_licence() -> None:
    assert (APPS / "LICENSE").read_bytes() == (WORKER / "LICENSE").read_bytes()
    assert declared(APPS)["license"] == declared(WORKER)["license"] == "Apache-2.0"


WITHOUT_EXTRAS = """
import importlib
import pkgutil
import sys


class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"polars", "matplotlib", "jinja2", "noida_db", "PIL"}:
            raise ModuleNotFoundError(name, name=name)


sys.meta_path.insert(0, Nothing())
import streams

for module in pkgutil.walk_packages(streams.__path__, "streams."):
    if module.name != "streams.replay.parquet_rows":
        importlib.import_module(module.name)
import experiments.chaos.run, experiments.people.simulated_apps, experiments.servers.foreground_kafka
"""


def test_a_worker_and_its_commands_need_nothing_of_the_extras() -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS], cwd=PROJECT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_apps_need_what_the_worker_needs_and_no_more() -> None:
    assert {re.split(r"[<>=]", one)[0] for one in declared(APPS)["dependencies"]} == {
        "kafka-python",
        "msgspec",
        "numpy",
        "zstandard",
    }
    assert set(declared(APPS)["dependencies"]) <= set(declared(WORKER)["dependencies"])
    assert declared(APPS)["requires-python"] == declared(WORKER)["requires-python"]


def test_the_lock_leaves_out_what_is_installed_from_here() -> None:
    assert not re.search(r"^groundswell", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)


@pytest.mark.parametrize(
    "target",
    [
        declared(APPS)["scripts"]["groundswell"],
        *(value for group in declared(WORKER)["entry-points"].values() for value in group.values()),
    ],
)
def test_entry_points_lead_somewhere(target: str) -> None:
    module, _, name = target.partition(":")
    assert callable(getattr(import_module(module), name))


def test_the_image_is_built_from_both() -> None:
    dockerfile = (PROJECT / "deploy" / "Dockerfile").read_text()
    copied = set(" ".join(re.findall(r"^COPY (?!--)(.+) \S+$", dockerfile, re.MULTILINE)).split())
    assert copied == {
        "groundswell", *WORKERS_FOLDERS, "requirements-worker.lock", "pyproject.toml", "README.md", "LICENSE",
    }  # fmt: skip
    kept = {line[1:] for line in (PROJECT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert kept == copied
