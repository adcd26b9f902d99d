"""Signatures of records by Ed25519 (RFC 8032), in their headers: who holds a private key wrote what stands there.

What is signed is the record and not the document in it, so that a key that changes changes no byte of a document:

    "groundswell-record-1\\n" KIND "\\n" PARTITION "\\n" LENGTH "\\n" key value

KIND is what the record is, "policies", "checkpoints" or "controls", whatever its topic is called; PARTITION and LENGTH,
that of the key in bytes, are decimal numbers. So nothing that was signed passes for anything else, under another key or
on another partition. The 64 bytes of the signature are the value of the header "signature"; of several such headers one
has to be right, by one of the keys that are trusted, which is what a change of keys needs.

Keys are PEM, as OpenSSL writes them (private ones PKCS #8, unencrypted; public ones SubjectPublicKeyInfo). This needs
the package `cryptography`: `pip install "groundswell[signatures]"`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

HEADER: Final = "signature"
Kind = Literal["policies", "checkpoints", "controls"]
"""What records are signed. Whatever is signed later has a name of its own here."""
Headers = Iterable[tuple[str, bytes | None]]
"""Of a record, as clients give them."""
_PUBLIC_KEY: Final = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


class SignatureError(Exception):
    """Keys that cannot be used; the message says why and what to do."""


def signed_bytes(kind: Kind, partition: int, key: bytes, value: bytes) -> bytes:
    """Return what the signature of a record is of."""
    return b"groundswell-record-1\n%b\n%d\n%d\n%b%b" % (kind.encode(), partition, len(key), key, value)


def require_bytes(what: str, given: Any, remedy: str) -> None:
    """Raise TypeError, which says what to do, where something is not the bytes that it has to be."""
    if not isinstance(given, bytes):
        raise TypeError(f"{what} is {type(given).__name__}, not bytes: {remedy}")


class Signer:
    """Signs records by a private key (PEM).

    Raises `SignatureError` where it is none, and TypeError where it is not bytes.
    """

    def __init__(self, private_key: bytes) -> None:
        require_bytes("the private key", private_key, "give what its file holds, Path(…).read_bytes()")
        self._key = _private_key(private_key)

    @property
    def public_key(self) -> bytes:
        """The public key that belongs to it, as PEM."""
        return _public_pem(self._key)

    def headers(self, kind: Kind, partition: int, key: bytes, value: bytes) -> list[tuple[str, bytes]]:
        """Return the headers of a record."""
        return [(HEADER, self._key.sign(signed_bytes(kind, partition, key, value)))]


class Verifier:
    """Trusts what one of these public keys (PEM, several in one text or in several) has signed.

    Raises `SignatureError` where there is none, or one that is no key of Ed25519, and TypeError where it is not bytes.
    """

    def __init__(self, *public_keys: bytes) -> None:
        for one in public_keys:
            require_bytes("a public key", one, "give what its file holds, Path(…).read_bytes()")
        found = [one for text in public_keys for one in _PUBLIC_KEY.findall(text)]
        if not found:
            raise SignatureError(
                "no public key to check signatures by: it is PEM, with the line BEGIN PUBLIC KEY (NAME.pub of "
                "`groundswell keys create`)"
            )
        self._keys = [_public_key(one) for one in found]

    def refusal(self, kind: Kind, partition: int, key: bytes, value: bytes, headers: Headers | None) -> str | None:
        """Return why a record is not trusted, or None where it is. Raises TypeError where headers are no pairs."""
        try:
            signatures = [content for name, content in headers or () if name == HEADER]
        except (TypeError, ValueError) as error:
            raise TypeError(
                f"headers are {type(headers).__name__}: give those of the record, a list of pairs of name and bytes"
            ) from error
        for one in signatures:
            if one is not None:
                require_bytes(f"the header {HEADER!r}", one, "give the headers of the record as they came")
        if not signatures:
            return "it is not signed"
        content = signed_bytes(kind, partition, key, value)
        if any(_is_of(public, one or b"", content) for public in self._keys for one in signatures):
            return None
        return "it is signed by none of the keys that are trusted"

    def trusts(self, signer: Signer) -> bool:
        """Say whether this trusts what a signer signs."""
        return any(_raw(one) == _raw(_public_key(signer.public_key)) for one in self._keys)


def new_key_pair() -> tuple[bytes, bytes]:
    """Return a new private key and its public one, as PEM."""
    with _cryptography_needed():
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private, _public_pem(key)


class _cryptography_needed:  # noqa: N801  # reads as what it is for
    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, ModuleNotFoundError):
            raise SignatureError(
                'signatures need the package cryptography: pip install "groundswell[signatures]"'
            ) from error


def _private_key(pem: bytes) -> Ed25519PrivateKey:
    with _cryptography_needed():
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415
    try:
        key = load_pem_private_key(pem, password=None)
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(
            f"the private key cannot be read ({error}): make one by `groundswell keys create`"
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureError("the private key is not one of Ed25519: make one by `groundswell keys create`")
    return key


def _public_key(pem: bytes) -> Ed25519PublicKey:
    with _cryptography_needed():
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415
        from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise SignatureError(f"a public key cannot be read: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureError("a public key is not one of Ed25519: `groundswell keys create` makes pairs of them")
    return key


def _public_pem(key: Ed25519PrivateKey) -> bytes:
    from cryptography.hazmat.primitives import serialization  # noqa: PLC0415

    return key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def _raw(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes_raw()


def _is_of(key: Ed25519PublicKey, signature: bytes, content: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415

    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
