"""A worker to which every fifth batch is never delivered, as Faust was seen to skip some when it resumes."""

from __future__ import annotations

import itertools

from faust.types import ConsumerMessage

from streams.record_batches import RecordBatch, RecordBatchConsumer
from streams.run import run_worker
from streams.settings import load_settings

_numbers = itertools.count(1)


class SkippingConsumer(RecordBatchConsumer):
    """Delivers four batches and loses the fifth."""

    async def _deliver(self, message: ConsumerMessage) -> None:
        if not (isinstance(message.value, RecordBatch) and next(_numbers) % 5 == 0):
            await super()._deliver(message)


if __name__ == "__main__":
    from streams.record_batches import RecordBatchTransport

    RecordBatchTransport.Consumer = SkippingConsumer
    run_worker(load_settings())
