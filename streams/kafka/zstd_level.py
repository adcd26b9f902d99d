"""How hard aiokafka compresses what is written."""

from __future__ import annotations

import sys
from functools import partial
from typing import Final

from aiokafka.codec import zstd_encode
from aiokafka.record.default_records import DefaultRecordBatchBuilder

ZSTD_LEVEL: Final = 1
"""aiokafka takes 3, as brokers do: one and a half times (interactions) to three times (policies) as long. What
the benchmarks write comes out larger at that; interactions with long texts come out up to 9% smaller."""


def compress_quickly() -> None:
    """Let all of aiokafka's producers in this process take that level of zstd; it has no setting for it."""
    module = sys.modules[DefaultRecordBatchBuilder.__module__]
    module.zstd_encode = partial(zstd_encode, level=ZSTD_LEVEL)  # type: ignore[attr-defined]
