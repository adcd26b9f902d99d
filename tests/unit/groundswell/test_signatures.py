"""Signatures of records: by whom, of what, and how keys are changed."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from groundswell import policy
from groundswell.chunks import split
from groundswell.exploration import Exploration
from groundswell.newest_snapshot import NewestSnapshot
from groundswell.policy import PolicySnapshot, Weights
from groundswell.signatures import HEADER, Kind, SignatureError, Signer, Verifier, new_key_pair, signed_bytes

PRIVATE, PUBLIC = new_key_pair()
SIGNER, VERIFIER = Signer(PRIVATE), Verifier(PUBLIC)


def snapshot(version: int, weights: int = 1) -> PolicySnapshot:
    return PolicySnapshot(
        model="feed", version=version, parent=None, bits=18, context_crosses=False, shared_weights=False,
        exploration=Exploration("epsilon-greedy", 0.1), bandit=Weights(list(range(weights)), [0.123] * weights),
        inverse_kinematics=None, configuration="",
    )  # fmt: skip


def test_what_is_signed_is_what_the_text_says() -> None:
    assert signed_bytes("policies", 0, b"feed", b"{}") == b"groundswell-record-1\npolicies\n0\n4\nfeed{}"


@given(st.binary(max_size=20), st.binary(max_size=40), st.integers(0, 99))
def test_a_signature_is_of_one_record_alone(key: bytes, value: bytes, partition: int) -> None:
    headers = SIGNER.headers("checkpoints", partition, key, value)
    assert VERIFIER.refusal("checkpoints", partition, key, value, headers) is None
    others: list[tuple[Kind, int, bytes, bytes]] = [
        ("policies", partition, key, value),
        ("checkpoints", partition + 1, key, value),
        ("checkpoints", partition, key + b"x", value),
        ("checkpoints", partition, key, value + b"x"),
        ("checkpoints", partition, key + value[:1], value[1:] if value else b"x"),
    ]
    for kind, other, changed_key, changed in others:
        refusal = VERIFIER.refusal(kind, other, changed_key, changed, headers)
        assert refusal == "it is signed by none of the keys that are trusted"


@pytest.mark.parametrize("headers", [None, [], [("reason", b"x")]])
def test_what_is_not_signed_is_refused(headers: list[tuple[str, bytes | None]] | None) -> None:
    assert VERIFIER.refusal("policies", 0, b"feed", b"{}", headers) == "it is not signed"


@pytest.mark.parametrize("signature", [None, b"", b"x", bytes(64), bytes(200)])
def test_what_is_no_signature_is_refused(signature: bytes | None) -> None:
    assert VERIFIER.refusal("policies", 0, b"feed", b"{}", [(HEADER, signature)]) is not None


def test_keys_are_changed_while_both_are_trusted_and_no_byte_of_a_document_changes() -> None:
    private, public = new_key_pair()
    new, both = Signer(private), Verifier(PUBLIC + public)
    document = policy.encode(snapshot(1))
    for signer in (SIGNER, new):
        assert both.refusal("policies", 0, b"feed", document, signer.headers("policies", 0, b"feed", document)) is None
    by_two = [*SIGNER.headers("policies", 0, b"feed", document), *new.headers("policies", 0, b"feed", document)]
    for verifier in (VERIFIER, Verifier(public), both):
        assert verifier.refusal("policies", 0, b"feed", document, by_two) is None
    assert Verifier(public).refusal("policies", 0, b"feed", document, by_two[:1]) is not None
    assert (VERIFIER.trusts(SIGNER), VERIFIER.trusts(new), both.trusts(new)) == (True, False, True)


@pytest.mark.parametrize("weights", [1, 100_000], ids=["in one record", "in chunks"])
def test_an_app_believes_only_what_is_signed_and_keeps_the_last_good_one(weights: int) -> None:
    newest = NewestSnapshot("feed", VERIFIER)

    def offer(one: PolicySnapshot, signer: Signer | None, slot: int) -> bool:
        offered = False
        for key, value in split(b"feed", policy.encode(one), slot)[0]:
            headers = [] if signer is None else signer.headers("policies", 0, key, value)
            offered = newest.offer(key, value, headers)
        return offered

    assert offer(snapshot(1, weights), SIGNER, 0)
    stranger = Signer(new_key_pair()[0])
    for signer in (None, stranger):
        assert not offer(snapshot(2, weights), signer, 1)
        assert newest.snapshot == snapshot(1, weights)
    assert newest.refused >= 2
    assert offer(snapshot(3, weights), SIGNER, 1)


def test_a_chunk_that_a_stranger_writes_over_a_signed_one_changes_nothing() -> None:
    newest = NewestSnapshot("feed", VERIFIER)
    records = split(b"feed", policy.encode(snapshot(1, 100_000)), 0)[0]
    for key, value in records[:-1]:
        newest.offer(key, value, SIGNER.headers("policies", 0, key, value))
    assert not newest.offer(records[0][0], b"junk")
    key, value = records[-1]
    assert newest.offer(key, value, SIGNER.headers("policies", 0, key, value))


@pytest.mark.parametrize("text", [b"", b"x", PUBLIC, PRIVATE[:60]], ids=["none", "junk", "a public one", "cut"])
def test_a_private_key_that_is_none_is_refused_with_what_to_do(text: bytes) -> None:
    with pytest.raises(SignatureError, match="groundswell keys create"):
        Signer(text)


@pytest.mark.parametrize("text", [b"", b"x", PRIVATE, PUBLIC.replace(b"M", b"N", 1)])
def test_a_public_key_that_is_none_is_refused(text: bytes) -> None:
    with pytest.raises(SignatureError):
        Verifier(text)


@pytest.mark.parametrize("key", [None, "-----BEGIN PUBLIC KEY-----", 7])
def test_a_key_that_is_not_bytes_is_refused_with_what_to_give(key: Any) -> None:
    for made in (Signer, Verifier):
        with pytest.raises(TypeError, match=r"key is \w+, not bytes: give what its file holds"):
            made(key)


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        ({HEADER: b"x"}, "headers are dict: give those of the record, a list of pairs"),
        ([HEADER], "headers are list: give those of the record, a list of pairs"),
        (7, "headers are int: give those of the record, a list of pairs"),
        ([(HEADER, "x")], "the header 'signature' is str, not bytes: give the headers of the record as they came"),
    ],
)
def test_headers_that_are_none_are_told(headers: Any, said: str) -> None:
    with pytest.raises(TypeError, match=said):
        VERIFIER.refusal("policies", 0, b"feed", b"{}", headers)


def test_without_the_library_it_says_what_to_install() -> None:
    app = (
        "import sys; sys.modules['cryptography'] = None; import groundswell\n"
        "try: groundswell.Verifier(b'-----BEGIN PUBLIC KEY-----x-----END PUBLIC KEY-----')\n"
        "except groundswell.SignatureError as error: print(error)\n"
    )
    said = subprocess.run([sys.executable, "-c", app], capture_output=True, text=True, check=True).stdout
    assert 'pip install "groundswell[signatures]"' in said
