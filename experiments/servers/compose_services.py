"""What docker-compose.yml says of a service, so that it can be started without Docker.

A container is what the image brings, and what the Compose file says: command, environment, mounted files, health check.
The latter is read here, with the knobs of `.env` put in, and addresses and paths of containers replaced by real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any

import yaml

KAFKA_OWN = (
    "advertised", "cluster", "controller", "heap", "inter", "listener", "listeners", "log", "log4j", "node", "process",
)  # fmt: skip
"""First words of the broker's settings that say where it lies rather than how it works."""


@dataclass(frozen=True)
class Service:
    """One service: its command's arguments, variables, files by their path inside, and the check of its health."""

    command: list[str]
    environment: dict[str, str]
    mounts: dict[str, Path]
    healthcheck: list[str]

    def broker_properties(self) -> dict[str, str]:
        """Return the variables KAFKA_A_B as properties a.b, as Apache's image does, but for those of its own place."""
        names = {name: name.removeprefix("KAFKA_").lower().split("_") for name in self.environment}
        return {
            ".".join(words): self.environment[name]
            for name, words in names.items()
            if name.startswith("KAFKA_") and words[0] not in KAFKA_OWN
        }


class ComposeFile:
    """The services of a Compose file; `knobs` go before those of `.env`, as variables of the shell do."""

    def __init__(self, path: Path, knobs: Mapping[str, str] | None = None) -> None:
        self._folder = path.parent
        lines = [line for line in (path.parent / ".env").read_text().splitlines() if line and not line.startswith("#")]
        self.knobs = {**dict(line.split("=", 1) for line in lines), **(knobs or {})}
        self._services: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text())["services"]

    def service(self, name: str, replaced: Mapping[str, str] | None = None) -> Service:
        """Return a service; each text of `replaced` that stands in commands and variables is replaced by its value.

        Paths inside the container that lie under a mount of a file or folder of this project become its own path.
        """
        described = self._services[name]
        mounts = {
            inside: (self._folder / source).resolve()
            for source, inside in (volume.split(":")[:2] for volume in described.get("volumes", []))
            if source.startswith(".")
        }
        places = {**(replaced or {}), **{inside: str(path) for inside, path in mounts.items()}}
        variables = described.get("environment", {})
        _, *check = described.get("healthcheck", {"test": [""]})["test"]
        return Service(
            self._filled(described.get("command", []), places),
            dict(zip(variables, self._filled(list(variables.values()), places), strict=True)),
            mounts,
            self._filled(check, places),
        )

    def _filled(self, texts: Sequence[object], places: Mapping[str, str]) -> list[str]:
        filled = [Template(str(text)).safe_substitute(self.knobs) for text in texts]
        for inside, outside in places.items():
            filled = [text.replace(inside, outside) for text in filled]
        return filled
