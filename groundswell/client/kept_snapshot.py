"""The last policy of a model in a file, and its control, for an app that starts while Kafka is away."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Final

from groundswell import controls
from groundswell.controls import Control, ControlError
from groundswell.policy import PolicyError, PolicySnapshot, decode, encode

_LOG: Final = logging.getLogger(__name__)


class KeptSnapshot:
    """A file with a snapshot, replaced as a whole. What is wrong with it is logged: an app does without it."""

    def __init__(self, path: Path, model: str) -> None:
        self._path, self._model = path, model

    def read(self) -> PolicySnapshot | None:
        """Return the snapshot, or None where there is none that can be used."""
        try:
            found = decode(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, PolicyError) as error:
            _LOG.warning("the policy kept in %s cannot be used, going on without: %s", self._path, error)
            return None
        if found.model != self._model:
            _LOG.warning(
                "%s keeps a policy of model %r, not of %r: going on without", self._path, found.model, self._model
            )
            return None
        return found

    def write(self, snapshot: PolicySnapshot) -> None:
        """Put a snapshot in its place; whoever reads it meanwhile gets the one before."""
        _put(self._path, encode(snapshot), "policy")


class KeptControl:
    """A file with a control, likewise."""

    def __init__(self, path: Path, model: str) -> None:
        self._path, self._model = path, model

    @property
    def is_there(self) -> bool:
        """Whether there is such a file, be it one that cannot be used."""
        return self._path.exists()

    def read(self) -> Control | None:
        """Return the control, or None where there is none that can be used."""
        try:
            found = controls.decode(self._path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ControlError) as error:
            _LOG.warning("the control kept in %s cannot be used, going on without: %s", self._path, error)
            return None
        return found if found.model == self._model else None

    def write(self, control: Control) -> bool:
        """Put a control in its place; return whether that could be done."""
        return _put(self._path, controls.encode(control), "control")


def _put(path: Path, content: bytes, what: str) -> bool:
    # Several processes of an app may share the file.
    beside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        _LOG.warning("the %s cannot be kept in %s: %s. Give a file in a folder that can be written", what, path, error)
        return False
    return True
