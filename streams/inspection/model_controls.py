"""The controls of models on their topic: what is in force, what was before, and how a new one is written."""

from __future__ import annotations

from dataclasses import dataclass, field

from groundswell.chunks import ManifestError, split, used_slot
from groundswell.controls import (
    MODES,
    Canary,
    Control,
    ControlError,
    NewestControl,
    contradiction,
    decode,
    encode,
    history_key,
    pinned_key,
)
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import PolicySnapshot
from groundswell.policy import encode as encode_policy
from groundswell.signatures import Headers, Verifier
from streams.kafka.acknowledged_producer import AcknowledgedProducer
from streams.kafka.security import security_arguments
from streams.kafka.signing import Signing
from streams.kafka.topic_inspector import TopicInspector
from streams.settings import Settings
from streams.words import counted, span


class NoControlError(ValueError):
    """What was asked for is no control, or one that cannot be had; the message says why, and what to do."""


@dataclass
class ModelControl:
    """What lies on the topic of one model: the control in force with its snapshot, and all that were before."""

    newest: NewestControl
    history: dict[int, Control] = field(default_factory=dict)
    slot: int = 0
    """In which the snapshot's pieces lie."""

    @property
    def next_version(self) -> int:
        """The version of a control that replaces this one."""
        known = [0 if self.newest.control is None else self.newest.control.version, *self.history]
        return max(known) + 1


def read_control(settings: Settings, logs: TopicInspector, model: str) -> ModelControl:
    """Return what lies on the topic of a model, and is believed."""
    verifier, topic = Signing.of(settings.signatures).verifier, settings.topics.controls
    found = ModelControl(NewestControl(model, verifier))
    first, _ = logs.bounds(topic, 1)[0]
    for record in logs.read(topic, 0, first):
        found.newest.offer(record.key, record.value, record.headers)
        if record.value is None or record.key is None:
            continue
        if record.key == pinned_key(model):
            try:
                found.slot = used_slot(record.value)
            except ManifestError:
                continue  # it was passed over just now
        past = _past(verifier, record.key, record.value, record.headers)
        if past is not None and record.key == history_key(model, past.version):
            found.history[past.version] = past
    return found


def controlled_models(settings: Settings, logs: TopicInspector) -> set[str]:
    """Return the models of which there is a control that is believed."""
    verifier, topic = Signing.of(settings.signatures).verifier, settings.topics.controls
    first, _ = logs.bounds(topic, 1)[0]
    past = (_past(verifier, one.key or b"", one.value or b"", one.headers) for one in logs.read(topic, 0, first))
    return {one.model for one in past if one is not None}


def _past(verifier: Verifier | None, key: bytes, value: bytes, headers: Headers) -> Control | None:
    if b"\0history\0" not in key:
        return None
    if verifier is not None and verifier.refusal("controls", 0, key, value, headers):
        return None
    try:
        return decode(value)
    except ControlError:
        return None


def published_versions(
    settings: Settings, logs: TopicInspector, model: str, beside: PolicySnapshot | None
) -> dict[int, PolicySnapshot]:
    """Return the policies of a model that can be pinned, by version: compaction has left the last ones.

    `beside` is the one that lies beside the control already.
    """
    found = {} if beside is None else {beside.version: beside}
    newest, topic = NewestSnapshot(model, Signing.of(settings.signatures).verifier), settings.topics.policies
    first, _ = logs.bounds(topic, 1)[0]
    for record in logs.read(topic, 0, first):
        if newest.offer(record.key, record.value, record.headers) and newest.snapshot is not None:
            found[newest.snapshot.version] = newest.snapshot
    return found


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What an operator asks for. `version` is that of the policy to pin; None in a frozen model is the newest one."""

    mode: str
    by: str
    at: int
    why: str
    feature: str | None = None
    percent: float | None = None
    version: int | None = None


def new_control(
    model: str, asked: Asked, before: ModelControl, versions: dict[int, PolicySnapshot]
) -> tuple[Control, PolicySnapshot | None]:
    """Return the control that was asked for, and the snapshot that it names. Raises `NoControlError`."""
    mode = next((one for one in MODES if one == asked.mode), None)
    if mode is None:
        raise NoControlError(f"--mode {asked.mode}: must be one of {', '.join(MODES)}")
    control = Control(
        schema_version=1,
        model=model,
        version=before.next_version,
        mode=mode,
        by=asked.by,
        at=asked.at,
        why=asked.why,
        canary=_canary(asked, before.newest.control),
        policy_version=_pinned_version(asked, versions),
    )
    try:
        control = decode(encode(control))
    except ControlError as error:
        why = contradiction(control)
        raise NoControlError(why or str(error)) from error
    return control, None if control.policy_version is None else versions[control.policy_version]


def _canary(asked: Asked, before: Control | None) -> Canary | None:
    feature = asked.feature
    if asked.mode != "canary":
        if feature is not None or asked.percent is not None:
            raise NoControlError(f"--percent and --feature are a canary's: leave them out in the mode {asked.mode}")
        return None
    if feature is None and before is not None and before.canary is not None:
        feature = before.canary.feature
    if feature is None or asked.percent is None:
        raise NoControlError(
            "a canary needs --percent, and --feature, the feature of the context that tells people apart: "
            "--percent 5 --feature user"
        )
    return Canary(feature, asked.percent)


def _pinned_version(asked: Asked, versions: dict[int, PolicySnapshot]) -> int | None:
    if asked.mode not in {"frozen", "canary"}:
        if asked.version is not None:
            raise NoControlError(f"--version is a frozen model's or a canary's: leave it out in the mode {asked.mode}")
        return None
    if asked.mode == "canary" and asked.version is None:
        return None
    if not versions:
        raise NoControlError("no policy has been published yet that apps could act by")
    wanted = max(versions) if asked.version is None else asked.version
    if wanted not in versions:
        there = ", ".join(str(one) for one in sorted(versions)[-10:])
        raise NoControlError(
            f"--version {wanted}: of that version nothing is left on the topic, whose old policies compaction takes "
            f"away; there are {there}"
        )
    return wanted


def write_control(settings: Settings, control: Control, snapshot: PolicySnapshot | None, slot: int) -> None:
    """Write a control: first the snapshot that it names, then what is kept of it for good, then what apps go by.

    Each is acknowledged before the next, so that apps never read of a snapshot that is not there. Raises `SendError`,
    and `SignatureError` where apps would not believe what is written.
    """
    signing = Signing.of(settings.signatures)
    signing.require_both()
    whole, model = encode(control), control.model
    steps = [] if snapshot is None else split(pinned_key(model), encode_policy(snapshot), slot)[0]
    steps += [(history_key(model, control.version), whole), (model.encode(), whole)]
    kafka = settings.kafka
    with AcknowledgedProducer(kafka.bootstrap_servers, security=security_arguments(kafka)) as producer:
        for key, value in steps:
            headers = signing.headers("controls", 0, key, value)
            producer.send(settings.topics.controls, value, key=key, partition=0, headers=headers)
            producer.wait_for_acknowledgements()


def in_words(model: str, control: Control | None, now: int) -> str:
    """Return by what the apps of a model act, in a line; `now` in ms since 1970."""
    if control is None:
        return f"{model}: no control, the newest policy decides"
    what: str = control.mode
    rest = "the app's own rule" if control.policy_version is None else f"version {control.policy_version:,}"
    if control.canary is not None:
        what = f"canary, {control.canary.percent:g} % of {control.canary.feature}, for the rest {rest}"
    elif control.policy_version is not None:
        what = f"{control.mode}, {rest}"
    ago = span(max(0, now - control.at))
    return f"{model}: {what} (control {control.version}, {ago} ago by {control.by}: {control.why})"


def history_in_words(found: ModelControl, now: int) -> list[str]:
    """Return all that was said of a model, the newest first."""
    past = [in_words(control.model, control, now) for _, control in sorted(found.history.items(), reverse=True)]
    return [f"{counted(len(past), 'control')} so far", *past]
