"""The level at which aiokafka compresses: it has no setting for it, so this leans on where it looks zstd up."""

from __future__ import annotations

import random

import cramjam
import pytest
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.kafka.zstd_level import ZSTD_LEVEL, compress_quickly

ZSTD = 4
VALUES = [b"%b %d" % (b"as it was" * 10, random.Random(number).getrandbits(64)) for number in range(500)]
HEADER = 61
"""Bytes of a record batch before its records."""


def built() -> bytes:
    """Return a record batch as a producer sends it."""
    builder = BatchBuilder(1_000_000, ZSTD)
    for value in VALUES:
        builder.append(timestamp=1, key=None, value=value)
    return bytes(builder._build())


@pytest.mark.parametrize("times", [1, 2])
def test_batches_are_compressed_at_that_level_and_read_as_ever(times: int) -> None:
    for _ in range(times):
        compress_quickly()
    sent = built()
    records = bytes(cramjam.zstd.decompress(sent[HEADER:]))
    assert sent[HEADER:] == bytes(cramjam.zstd.compress(records, level=ZSTD_LEVEL))
    assert sent[HEADER:] != bytes(cramjam.zstd.compress(records, level=3))
    batch = MemoryRecords(sent).next_batch()
    assert [record.value for record in batch] == VALUES
