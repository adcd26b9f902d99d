"""Controls: by which snapshot the apps of a model act, as it lies on the compacted topic `controls`.

docs/policy-format.md specifies the records. A control changes what apps act by, never what is learned: policies are a
function of the interactions, whoever decided. Modes:

- `log-only`: apps decide by a rule of their own, or by chance; no policy is asked.
- `apprentice`: the same, and of each decision it is known whether the newest policy ranks the same first.
- `canary`: the newest policy decides for a part of the people, `side_of` says for whom; for the rest the snapshot of
  `policy_version`, or, without one, the app's own rule or chance.
- `online`: the newest policy decides. So it is where there is no control.
- `frozen`: the snapshot of `policy_version` decides. It lies beside the control, since compaction takes old ones away.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Annotated, Final, Literal, get_args

import msgspec
from msgspec import Meta, Struct

from groundswell.chunks import ManifestError, assemble, is_of
from groundswell.events import FeatureValue, Milliseconds, Name
from groundswell.features import crossed, hashed, text_and_value
from groundswell.policy import PolicyError, PolicySnapshot, Version
from groundswell.policy import decode as decode_policy
from groundswell.signatures import Headers, Verifier, require_bytes

_LOG: Final = logging.getLogger(__name__)
Mode = Literal["log-only", "apprentice", "canary", "online", "frozen"]
MODES: Final = get_args(Mode)
Side = Literal["canary", "rest"]
MOST_BYTES: Final = 10_000
"""Of the document: a larger one is not even decoded."""
LARGEST_WHOLE: Final = (1 << 53) - 1
"""Up to here a whole number is the same in every language: a double that is 2^53 may have been 2^53 + 1."""
Text = Annotated[str, Meta(min_length=1, max_length=1_024)]


class ControlError(Exception):
    """A document that is no control; the message says why."""


class Canary(Struct, frozen=True, forbid_unknown_fields=True):
    """For whom the newest policy decides: for `percent` of the values of a feature of the context."""

    feature: Name
    percent: Annotated[float, Meta(ge=0, le=100)]


class Control(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """How the apps of a model are to decide, since when, who says so and why.

    `version` counts the controls of a model. `canary` is there in this mode alone; `policy_version` names the snapshot
    that decides in the mode `frozen`, or for the rest of a canary. `at` is in milliseconds since 1970 UTC.
    """

    schema_version: Literal[1]
    model: Name
    version: Annotated[int, Meta(ge=1, le=(1 << 63) - 1)]
    mode: Mode
    by: Text
    at: Milliseconds
    why: Text
    canary: Canary | None = None
    policy_version: Version | None = None


def encode(control: Control) -> bytes:
    """Return the document of a control."""
    return msgspec.json.encode(control)


def decode(content: bytes) -> Control:
    """Return the control in `content`. Raises `ControlError` where that is none, or contradicts itself."""
    if len(content) > MOST_BYTES:
        raise ControlError(f"{len(content):,} bytes are more than a control has")
    try:
        control = msgspec.json.decode(content, type=Control)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise ControlError(f"not a control of schema 1 ({error})") from error
    if why := contradiction(control):
        raise ControlError(why)
    return control


def contradiction(control: Control) -> str | None:
    """Return how a control contradicts itself, or None."""
    if (control.canary is not None) != (control.mode == "canary"):
        return f"mode {control.mode!r} with{'out' if control.canary is None else ''} a canary"
    if control.policy_version is None:
        return "mode 'frozen' without a policy_version" if control.mode == "frozen" else None
    if control.mode not in {"canary", "frozen"}:
        return f"mode {control.mode!r} with a policy_version"
    return None if control.policy_version else "policy_version 0, of which there is no snapshot"


def how_to_write(model: str) -> str:
    """Return the command that writes a control of this model."""
    return f"`groundswell control set {model} --mode MODE --why WHY` (a canary: --percent and --feature as well)"


def place_of(model: str, feature: str, value: FeatureValue) -> float | None:
    """Return where among all values of a feature this one lies, evenly in [0, 1); None where it tells nobody apart.

    It is cross(h(model), h(text)) / 2^32 by the hashes of policies, with "feature=value" as the text; of a whole number
    below 2^53 in size the value is in decimal digits. Other numbers tell nobody apart.

    >>> place_of("feed", "user", 7) == place_of("feed", "user", "7") == place_of("feed", "user", 7.0)
    True
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= LARGEST_WHOLE or not float(value).is_integer():
            return None
        value = str(int(value))
    return crossed(hashed(model), hashed(text_and_value(feature, value)[0])) / (1 << 32)


def side_of(model: str, canary: Canary, context: Mapping[str, FeatureValue]) -> Side:
    """Return on which side of a canary a context lies.

    It depends on model, feature and value alone: whoever is in the canary stays there as the percentage grows. Without
    the feature nobody is.
    """
    place = _place_in(model, canary, context)
    return "canary" if place is not None and place < canary.percent / 100 else "rest"


def is_told_apart(model: str, canary: Canary, context: Mapping[str, FeatureValue]) -> bool:
    """Say whether a context has a value by which it could be in the canary: if none has, everybody is the rest."""
    return _place_in(model, canary, context) is not None


def _place_in(model: str, canary: Canary, context: Mapping[str, FeatureValue]) -> float | None:
    value = context.get(canary.feature)
    return None if value is None else place_of(model, canary.feature, value)


def pinned_key(model: str) -> bytes:
    """Return the key of the snapshot that the model's control names; its pieces lie under keys that begin so."""
    return b"%b\0pinned" % model.encode()


def history_key(model: str, version: int) -> bytes:
    """Return the key under which a control stays for good, as what was said when."""
    return b"%b\0history\0%d" % (model.encode(), version)


class NewestControl:
    """The control of one model among the records of the topic `controls`, and the snapshot beside it.

    What is none is passed over, told in the log and counted in `refused`, and the last good one stays; so is one that
    is older. With a `verifier` that is so of all that none of its keys has signed.
    """

    def __init__(self, model: str, verifier: Verifier | None = None) -> None:
        self.control: Control | None = None
        self.pinned: PolicySnapshot | None = None
        self.refused = 0
        self._model = model
        self._key, self._pinned_key = model.encode(), pinned_key(model)
        self._verifier = verifier
        self._records: dict[bytes, bytes | None] = {}

    def offer(self, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> None:
        """Take in one record; `headers` are pairs of name and content, as clients for Python give them.

        Raises TypeError where key or value is not bytes, or headers are no pairs.
        """
        for what, given in (("key", key), ("value", value)):
            if given is not None:
                require_bytes(what, given, "give it as it came, from a consumer without deserializers")
        if key is None or value is None or not (key == self._key or is_of(self._pinned_key, key)):
            return
        if self._verifier is not None and (why := self._verifier.refusal("controls", 0, key, value, headers)):
            self._pass_over(why)
            return
        try:
            if key == self._key:
                self._take(decode(value))
            else:
                self._records[key] = value
                if key == self._pinned_key:
                    self._take_pinned()
        except ControlError as error:
            self._pass_over(
                f"{error}: write it by {how_to_write(self._model)}, or update the reader if a newer one wrote it"
            )
        except (ManifestError, PolicyError) as error:
            self._pass_over(error)

    def _take(self, control: Control) -> None:
        if control.model != self._model:
            raise ControlError(f"a control of {control.model!r} lies under the key of {self._model!r}")
        if self.control is not None and control.version < self.control.version:
            raise ControlError(f"version {control.version} is older than the one in force, {self.control.version}")
        self.control = control

    def _take_pinned(self) -> None:
        whole, _ = assemble(self._pinned_key, self._records)
        if whole is None:
            raise PolicyError("the snapshot beside the control is not complete")
        snapshot = decode_policy(whole)
        if snapshot.model != self._model:
            raise PolicyError(f"a policy of {snapshot.model[:100]!r} lies beside the control of {self._model!r}")
        self.pinned = snapshot

    def _pass_over(self, why: object) -> None:
        self.refused += 1
        _LOG.warning("passed over a control: %s", why)
