"""Certificates for an Apache Kafka on the loopback, of an authority made for the test."""

from __future__ import annotations

from pathlib import Path

import trustme
from cryptography.hazmat.primitives import serialization

from experiments.kafka_security import Certificates


def certificates(folder: Path) -> Certificates:
    """Write an authority and a certificate for 127.0.0.1 and localhost into the folder."""
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    # trustme writes keys in the traditional form; Kafka reads PKCS #8 only.
    key = serialization.load_pem_private_key(issued.private_key_pem.bytes(), password=None)
    chain = folder / "broker.pem"
    chain.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + b"".join(pem.bytes() for pem in issued.cert_chain_pems)
    )
    authority.cert_pem.write_to_path(str(folder / "authority.pem"))
    return Certificates(authority=folder / "authority.pem", chain=chain)
