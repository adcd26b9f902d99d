"""Controls: which documents are believed, for whom a canary decides, and what decides in each mode."""

from __future__ import annotations

import logging
from typing import Any
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell import Action, Policy
from groundswell.chunks import split
from groundswell.client.acting import Acting
from groundswell.client.decisions import decide, impression_of
from groundswell.client.kept_snapshot import KeptControl
from groundswell.controls import (
    MODES,
    MOST_BYTES,
    Canary,
    Control,
    ControlError,
    NewestControl,
    Side,
    decode,
    encode,
    pinned_key,
    place_of,
    side_of,
)
from groundswell.events import FeatureValue, Impression
from groundswell.policy import encode as encode_policy
from groundswell.signatures import Signer, Verifier, new_key_pair
from tests.unit.groundswell.test_newest_snapshot import snapshot

ACTIONS = [Action("a"), Action("b"), Action("c")]
GOOD: dict[str, Any] = {
    "schema_version": 1,
    "model": "feed",
    "version": 3,
    "mode": "online",
    "by": "ann",
    "at": 1_795_310_400_000,
    "why": "the canary went well",
}
CANARY = {"feature": "user", "percent": 10}


def document(**changes: Any) -> bytes:
    """Return a document with these members; one that is None is left out."""
    return msgspec.json.encode({name: value for name, value in {**GOOD, **changes}.items() if value is not None})


def control(**changes: Any) -> Control:
    return decode(document(**changes))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (b"", "not a control"),
        (b"{}", "not a control"),
        (b"null", "not a control"),
        (b"[" * 50_000, "bytes are more than a control has"),
        (b"[" * MOST_BYTES, "not a control"),
        (b'{"mode": "\xff"}', "not a control"),
        (document(schema_version=2), "not a control of schema 1"),
        (document(mode="offline"), "Invalid enum value 'offline'"),
        (document(mode=None), "missing required field `mode`"),
        (document(version=0), "version"),
        (document(version=2**63), "version"),
        (document(version="3"), "version"),
        (document(by=""), "by"),
        (document(why=None), "missing required field `why`"),
        (document(why="x" * 2_000), "why"),
        (document(at=-1), "at"),
        (document(percent=5), "unknown field `percent`"),
        (document(model="other"), "a control of 'other' lies under the key of 'feed'"),
        (document(mode="canary"), "mode 'canary' without a canary"),
        (document(canary=CANARY), "mode 'online' with a canary"),
        (document(mode="canary", canary={**CANARY, "percent": 100.5}), "percent"),
        (document(mode="canary", canary={**CANARY, "percent": -1}), "percent"),
        (document(mode="canary", canary={**CANARY, "feature": ""}), "feature"),
        (document(mode="canary", canary={**CANARY, "salt": 1}), "unknown field `salt`"),
        (document(mode="canary", canary={"percent": 5}), "feature"),
        (document(mode="frozen"), "mode 'frozen' without a policy_version"),
        (document(mode="frozen", policy_version=0), "policy_version 0"),
        (document(policy_version=7), "mode 'online' with a policy_version"),
        (document(mode="apprentice", policy_version=7), "mode 'apprentice' with a policy_version"),
        (document(version=1), "version 1 is older than the one in force, 2"),
    ],
)
def test_of_a_document_that_is_none_the_last_good_one_is_kept(
    wrong: bytes, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    newest = NewestControl("feed")
    newest.offer(b"feed", document(version=2))
    with caplog.at_level(logging.WARNING):
        newest.offer(b"feed", wrong)
    assert said in caplog.text
    assert (newest.control, newest.refused) == (control(version=2), 1)
    newest.offer(b"feed", document(version=4, mode="log-only"))
    assert newest.control == control(version=4, mode="log-only")


def test_of_one_that_was_written_by_hand_the_command_that_writes_one_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        NewestControl("feed").offer(b"feed", b'{"mode":"canary","percent":5,"feature":"user"}')
    assert "unknown field `percent`" in caplog.text
    assert "`groundswell control set feed --mode MODE --why WHY` (a canary: --percent and --feature" in caplog.text
    assert "update the reader" in caplog.text


def test_of_two_of_one_version_the_later_counts_for_those_who_saw_both_as_for_those_who_come_later() -> None:
    newest = NewestControl("feed")
    for why in ("first", "second"):
        newest.offer(b"feed", document(why=why))
    assert newest.control == control(why="second")


def test_what_is_of_others_and_what_is_deleted_changes_nothing() -> None:
    newest = NewestControl("feed")
    newest.offer(b"feed", document())
    for key, value in [
        (None, document(version=9)),
        (b"other", document(version=9, model="other")),
        (b"feed\0history\x009", document(version=9)),
        (b"feed", None),
    ]:
        newest.offer(key, value)
    assert (newest.control, newest.refused) == (control(), 0)


def test_with_a_verifier_only_what_is_signed_as_a_control_is_believed() -> None:
    private_key, public_key = new_key_pair()
    signer, newest = Signer(private_key), NewestControl("feed", Verifier(public_key))
    key, value = b"feed", document()
    for headers in ([], signer.headers("policies", 0, key, value)):
        newest.offer(key, value, headers)
    assert (newest.control, newest.refused) == (None, 2)
    newest.offer(key, value, signer.headers("controls", 0, key, value))
    assert newest.control == control()


@pytest.mark.parametrize("weights", [3, 200_000], ids=["in a record", "in pieces"])
def test_the_snapshot_beside_a_control_may_be_an_older_one(weights: int) -> None:
    newest = NewestControl("feed")
    slot = 0
    for version in (200, 100):
        records, slot = split(pinned_key("feed"), encode_policy(snapshot(version, weights=weights)), slot)
        for key, value in records:
            newest.offer(key, value)
        assert newest.pinned is not None
        assert newest.pinned.version == version
    key, value = records[-1]
    newest.offer(key, value[:-9])
    newest.offer(pinned_key("feed"), encode_policy(snapshot(7, model="other")))
    assert newest.pinned == snapshot(100, weights=weights)
    assert newest.refused == 2


WHOLE = st.integers(-(2**53) + 1, 2**53 - 1)
VALUES = st.one_of(st.text(max_size=20), st.booleans(), WHOLE)
PERCENT = st.floats(0, 100)
RANK: dict[Side, int] = {"rest": 0, "canary": 1}


@given(st.text(min_size=1, max_size=5), VALUES, PERCENT, PERCENT)
def test_who_is_in_a_canary_stays_as_it_grows(model: str, value: FeatureValue, one: float, other: float) -> None:
    less, more = sorted((one, other))
    sides = [side_of(model, Canary("user", percent), {"user": value, "hour": 7}) for percent in (less, more)]
    assert RANK[sides[0]] <= RANK[sides[1]]
    assert sides[0] == side_of(model, Canary("user", less), {"hour": 9, "user": value, "new": True})
    assert side_of(model, Canary("user", 100), {"user": value}) == "canary"
    assert side_of(model, Canary("user", 0), {"user": value}) == "rest"


@given(WHOLE)
def test_an_id_lies_at_one_place_however_it_is_written(number: int) -> None:
    assert place_of("m", "user", number) == place_of("m", "user", str(number)) == place_of("m", "user", float(number))


@pytest.mark.parametrize(
    "context", [{}, {"user": 0.5}, {"user": 1e300}, {"user": 2**53}, {"user": 10**400}, {"User": "ann"}]
)
def test_whom_nothing_tells_apart_is_in_no_canary(context: dict[str, FeatureValue]) -> None:
    assert side_of("feed", Canary("user", 100), context) == "rest"


@pytest.mark.parametrize("percent", [0.1, 1, 10, 50, 97.5])
@pytest.mark.parametrize("ids", ["{}", "user-{:06d}", "{:x}@example.org", "ü{}ü"])
@pytest.mark.parametrize("model", ["feed", "a"])
def test_a_canary_holds_about_its_percentage_of_many(model: str, ids: str, percent: float) -> None:
    count, share = 40_000, percent / 100
    inside = sum(
        side_of(model, Canary("user", percent), {"user": ids.format(number)}) == "canary" for number in range(count)
    )
    assert abs(inside - share * count) < 5 * (share * (1 - share) * count) ** 0.5


def test_canaries_of_two_models_are_not_of_the_same_people() -> None:
    places = [(place_of("a", "user", number), place_of("b", "user", number)) for number in range(10_000)]
    both = sum(one is not None and other is not None and one < 0.1 and other < 0.1 for one, other in places)
    assert both == pytest.approx(100, abs=50)


def test_places_are_those_of_the_specification() -> None:
    def mixed(h: int) -> int:
        h = (h ^ h >> 16) * 0x85EBCA6B % 2**32
        h = (h ^ h >> 13) * 0xC2B2AE35 % 2**32
        return h ^ h >> 16

    model, user = mixed(crc32(b"feed")), mixed(crc32(b"user=ann"))
    assert user == 2965408903
    assert place_of("feed", "user", "ann") == mixed((model * 2654435761 + user) % 2**32) / 2**32 == 0.7702317615039647
    assert place_of("feed", "premium", True) == place_of("feed", "premium", "true")


NEWEST, PINNED = Policy(snapshot(200)), Policy(snapshot(100))
HALF = Canary("user", 50)
SIDES: dict[Side, dict[str, FeatureValue]] = {
    side_of("feed", HALF, {"user": user}): {"user": user} for user in ("ann", "bob", "cid", "dan", "eve", "fay")
}
IN, OUT = SIDES["canary"], SIDES["rest"]


@pytest.mark.parametrize(
    ("said", "context", "with_own", "version", "basis", "side"),
    [
        ({"mode": "online"}, IN, False, 200, "policy", None),
        ({"mode": "online"}, IN, True, 200, "policy", None),
        ({"mode": "log-only"}, IN, False, None, "uniform", None),
        ({"mode": "log-only"}, IN, True, None, "own", None),
        ({"mode": "apprentice"}, IN, False, None, "uniform", None),
        ({"mode": "apprentice"}, IN, True, None, "own", None),
        ({"mode": "frozen", "policy_version": 100}, IN, True, 100, "pinned", None),
        ({"mode": "frozen", "policy_version": 150}, IN, True, None, "own", None),
        ({"mode": "frozen", "policy_version": 150}, IN, False, None, "uniform", None),
        ({"mode": "canary", "canary": HALF}, IN, True, 200, "policy", "canary"),
        ({"mode": "canary", "canary": HALF}, OUT, True, None, "own", "rest"),
        ({"mode": "canary", "canary": HALF}, OUT, False, None, "uniform", "rest"),
        ({"mode": "canary", "canary": HALF}, {}, True, None, "own", "rest"),
        ({"mode": "canary", "canary": HALF, "policy_version": 100}, IN, True, 200, "policy", "canary"),
        ({"mode": "canary", "canary": HALF, "policy_version": 100}, OUT, True, 100, "pinned", "rest"),
        ({"mode": "canary", "canary": HALF, "policy_version": 150}, OUT, True, None, "own", "rest"),
    ],
)
def test_who_decides(
    said: dict[str, Any],
    context: dict[str, FeatureValue],
    with_own: bool,
    version: int | None,
    basis: str,
    side: str | None,
) -> None:
    acting = Acting(NEWEST, PINNED, control(**said), known=True)
    found = acting.chosen(context, "policy")
    own = [0.0, 0.75, 0.25] if with_own else None
    made = decide(
        "feed", found.policy, found.basis, context, ACTIONS,
        own=own, mode=found.mode, side=found.side, beside=found.beside,
    )  # fmt: skip
    assert (made.policy_version, made.basis, made.mode, made.side) == (version, basis, said["mode"], side)
    expected: dict[str, list[float]] = {"own": own or [], "uniform": [1 / 3] * 3}
    decided_by = {200: NEWEST, 100: PINNED}
    assert made.probabilities == (
        expected[basis] if version is None else decided_by[version].probabilities(context, ACTIONS)
    )
    if said["mode"] == "apprentice":
        assert made.agreed == NEWEST.greedy(context, ACTIONS)[made.index]
    else:
        assert made.agreed is None
    written = msgspec.json.decode(msgspec.json.encode(impression_of(made, 1_000)))
    assert written.get("mode", "online") == made.mode
    assert written.get("side") == made.side
    assert msgspec.convert(written, Impression).policy_version == version


@pytest.mark.parametrize("mode", [None, *MODES])
def test_where_no_policy_has_come_yet_own_decides_or_chance_in_every_mode(mode: str | None) -> None:
    more: dict[str, Any] = {"canary": CANARY} if mode == "canary" else {}
    more |= {"policy_version": 100} if mode == "frozen" else {}
    acting = Acting(control=None if mode is None else control(mode=mode, **more), known=True)
    for own, basis in ((None, "uniform"), ("b", "own")):
        found = acting.chosen(IN, "policy")
        made = decide("feed", found.policy, found.basis, IN, ACTIONS, own=own, beside=found.beside)
        assert (made.basis, made.policy_version, made.agreed) == (basis, None, None)
        assert made.propensity == (1.0 if own else 1 / 3)


def test_while_it_is_not_known_whether_there_is_a_control_no_policy_decides() -> None:
    found = Acting(NEWEST, PINNED).chosen(IN, "policy")
    assert (found.policy.version, found.mode) == (0, None)


@pytest.mark.parametrize("own", ["c", Action("c"), [0.0, 0, 1.0]])
def test_an_own_rule_is_an_action_its_id_or_probabilities(own: Any) -> None:
    made = decide("feed", Policy.uniform(), "uniform", {}, ACTIONS, own=own)
    assert (made.action.id, made.propensity, made.probabilities) == ("c", 1.0, [0.0, 0.0, 1.0])


@pytest.mark.parametrize("policy", [Policy.uniform(), NEWEST], ids=["none yet", "a policy"])
@pytest.mark.parametrize(
    ("own", "error", "said"),
    [
        ("d", ValueError, r"own is 'd': give one of the actions \['a', 'b', 'c'\]"),
        (Action("d"), ValueError, "give one of the actions"),
        (2, TypeError, "own is 2: give an action, its id, or a list"),
        ({"a": 1.0}, TypeError, "give an action, its id, or a list"),
        (["a"], TypeError, "give an action, its id, or a list"),
        ([0.5, 0.5], ValueError, "2 probabilities for 3 actions"),
        ([0.5, 0.5, 0.5], ValueError, "must sum to 1"),
        ([1.5, -0.5, 0.0], ValueError, "must lie in"),
        ([float("nan"), 0.5, 0.5], ValueError, "must lie in"),
    ],
)
def test_an_own_rule_that_is_none_is_told_whether_it_decides_or_not(
    policy: Policy, own: Any, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        decide("feed", policy, "policy", {}, ACTIONS, own=own)


def test_a_control_is_kept_and_read_again(tmp_path: Any, caplog: pytest.LogCaptureFixture) -> None:
    kept = KeptControl(tmp_path / "control", "feed")
    assert kept.read() is None
    kept.write(control(mode="apprentice"))
    assert kept.read() == control(mode="apprentice")
    assert KeptControl(tmp_path / "control", "other").read() is None
    (tmp_path / "control").write_bytes(document(mode="frozen"))
    assert kept.read() is None
    assert "without a policy_version" in caplog.text


@given(st.sampled_from(MODES), st.integers(1, 2**63 - 1), PERCENT)
def test_what_is_written_is_read(mode: Any, version: int, percent: float) -> None:
    made = Control(
        schema_version=1,
        model="feed",
        version=version,
        mode=mode,
        by="ann",
        at=5,
        why="because",
        canary=Canary("user", percent) if mode == "canary" else None,
        policy_version=7 if mode in {"canary", "frozen"} else None,
    )
    assert decode(encode(made)) == made


def test_a_control_of_an_unreadable_kind_raises() -> None:
    with pytest.raises(ControlError):
        decode(b"\x00")
