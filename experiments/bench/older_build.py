"""Builds of groundswell to measure beside each other: this one, and older ones in environments of their own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.markup import escape

WORKERS: Final = ("experiments.bench.benchmark_worker", "experiments.bench_worker")
"""The benchmarks' worker in this build and in those before; all take `join` or `pipeline` as their argument."""
PROJECT: Final = Path(__file__).resolve().parents[2]
NO_SOURCES: Final = shutil.ignore_patterns(".*", "out", "build", "dist", "*.egg-info", "__pycache__")
QUESTIONS: Final = """
import importlib.metadata, importlib.util, json, platform, sys

def place(module):
    try:
        spec = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        return None
    return spec and spec.origin

try:
    importlib.metadata.version("groundswell")
except importlib.metadata.PackageNotFoundError:
    sys.exit("no groundswell")
print(json.dumps({"python": platform.python_version(), "places": {name: place(name) for name in sys.argv[1:]}}))
"""


class BuildError(Exception):
    """A build cannot be measured; the message says why, and what to name instead."""


@dataclass(frozen=True)
class Build:
    """A build and the Python that runs it.

    `worker` is the module of its benchmarks' worker, empty if it has none. `facts` say in results.json which build it
    was.
    """

    name: str
    python: Path
    worker: str
    environment: Mapping[str, str]
    facts: Mapping[str, Any]


def this_build() -> Build:
    """Return the build that is running."""
    facts = {"packages": str(PROJECT), "commit": _commit(PROJECT), "python": sys.version.split()[0]}
    return Build("this build", Path(sys.executable), WORKERS[0], _only(str(PROJECT)), facts)


def older_build(path: Path, kept: Path) -> Build:
    """Return the build at `path`: a checkout, installed in an environment under `kept`, or an environment's python.

    Raises `BuildError` if it is neither, if it cannot be installed, or if the environment has no groundswell in it.
    """
    if not path.exists():
        raise BuildError(f"there is no {path}: name a checkout of groundswell, or the python of an environment")
    if path.is_dir() and not (path / "pyproject.toml").exists():
        raise BuildError(
            f"{path} has no pyproject.toml: name a checkout of groundswell, or the python of an environment"
        )
    # An environment's python is a link, and only by that name does it find the environment.
    python = _installed(path.absolute(), kept.absolute()) if path.is_dir() else path.absolute()
    answer = _ask(python)
    places = {name: place for name, place in answer["places"].items() if place}
    worker = next((name for name in WORKERS if name in places), "")
    packages = str(Path(places["processors"]).parents[1]) if "processors" in places else None
    facts = {"path": str(path), "packages": packages, "python": answer["python"]}
    if path.is_dir():
        facts["commit"] = _commit(path)
    return Build("older build", python, worker, _only(""), facts)


def _only(packages: str) -> Mapping[str, str]:
    """Return an environment in which neither the working directory nor another's PYTHONPATH lends its modules."""
    return {"PYTHONPATH": packages, "PYTHONSAFEPATH": "1"}


def _ask(python: Path) -> Any:
    command, environment = [str(python), "-c", QUESTIONS, "processors", *WORKERS], {**os.environ, **_only("")}
    try:
        asked = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, env=environment
        )
    except OSError as error:
        raise BuildError(f"{python} does not run, so it is no python: {error}") from error
    if asked.returncode != 0:
        if asked.stderr.strip() == "no groundswell":
            raise BuildError(f"there is no groundswell in the environment of {python}: install one, or name a checkout")
        raise BuildError(f"{python} does not answer as a python does:\n{(asked.stderr or asked.stdout)[-2000:]}")
    return json.loads(asked.stdout)


def _commit(checkout: Path) -> str | None:
    if not (checkout / ".git").exists() or shutil.which("git") is None:
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or None


def _installed(checkout: Path, kept: Path) -> Path:
    """Return the python of an environment with this checkout in it; one for each lock, which is what takes time."""
    with tempfile.TemporaryDirectory() as name:
        # Built from a copy: a build leaves folders behind, and packs up what an earlier one has left.
        sources = Path(name) / "sources"
        shutil.copytree(checkout, sources, ignore=NO_SOURCES, symlinks=True)
        lock, build = sources / "requirements.lock", _digest(sources)
        environment = kept / f"environment-{_digest(lock) if lock.exists() else build}"
        python, has_needed, has_build = environment / "bin" / "python", environment / "needed", environment / "build"
        pip = [str(python), "-m", "pip", "install", "--disable-pip-version-check"]
        kept.mkdir(parents=True, exist_ok=True)
        log = kept / "install.log"
        if not has_needed.exists():
            run_logged("making an environment", [sys.executable, "-m", "venv", "--clear", str(environment)], log)
            if lock.exists():
                command = [*pip, "--require-hashes", "--requirement", str(lock)]
                run_logged("installing what its requirements.lock names, which takes minutes", command, log)
            has_needed.touch()
        if not has_build.exists() or has_build.read_text() != build:
            has_build.unlink(missing_ok=True)
            alone = ["--no-deps", "--force-reinstall"] if lock.exists() else []
            # Since there are two distributions, what apps import is one of its own.
            apps = [str(sources / "groundswell")] if (sources / "groundswell" / "pyproject.toml").exists() else []
            run_logged(f"installing the build of {checkout}", [*pip, *alone, *apps, str(sources)], log)
            has_build.write_text(build)
    return python


def run_logged(what: str, command: Sequence[str], log: Path) -> None:
    """Run a command that takes its time, and say so; what it prints goes to `log`. Raises `BuildError` if it fails."""
    console = Console()
    console.print(f"{escape(what)} …", highlight=False, soft_wrap=True)
    begin = time.monotonic()
    with log.open("wb") as output:
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != 0:
        raise BuildError(f"{what} failed; {log} ends with:\n{log.read_text(errors='replace')[-2000:]}")
    console.print(f"… took {time.monotonic() - begin:.0f} s", highlight=False)


def _digest(path: Path) -> str:
    """Return what tells one file from others, or all that lies in a folder."""
    result = hashlib.sha256()
    for one in sorted(path.rglob("*")) if path.is_dir() else [path]:
        if one.is_file():
            result.update(f"{one.relative_to(path)}\0{one.stat().st_size}\0".encode())
            result.update(one.read_bytes())
    return result.hexdigest()[:16]
