"""Certificates for an Apache Kafka on the loopback, of an authority made for the test."""

from __future__ import annotations

from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from experiments.servers.kafka_security import Certificates


def certificates(folder: Path) -> Certificates:
    """Write an authority and certificates of a broker on the loopback and of a client into the folder."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    return Certificates(
        authority=folder / "authority.pem",
        chain=_issued(authority, folder / "broker.pem", "127.0.0.1", "localhost"),
        client=_issued(authority, folder / "client.pem", "worker.example"),
    )


def strangers_certificate(folder: Path) -> Path:
    """Write a client's certificate of an authority that nobody trusts."""
    return _issued(trustme.CA(), folder / "stranger.pem", "worker.example")


def _issued(authority: trustme.CA, path: Path, *names: str) -> Path:
    issued = authority.issue_cert(*names)
    # trustme writes keys in the traditional form; Kafka reads PKCS #8 only.
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    )
    return path
