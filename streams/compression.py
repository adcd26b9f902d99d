"""How what is written to Kafka is compressed: the codecs there are, and the one that is taken where none is named.

What is read is unpacked by `streams/kafka/bounded_unpacking.py`, which has to know each of them.
"""

from __future__ import annotations

from typing import Final, Literal

Compression = Literal["gzip", "snappy", "lz4", "zstd", "none"]
DEFAULT: Final[Compression] = "zstd"


def codec(compression: Compression) -> str | None:
    """Return the name by which Kafka's clients know it, None for none."""
    return None if compression == "none" else compression
