"""A worker whose agents' queues are cleared with a batch in them, as Faust does when it resumes after a rebalance."""

from __future__ import annotations

import itertools

from faust.types import ConsumerMessage

from streams.app import run_worker
from streams.kafka.record_batch_app import RecordBatchConsumer, RecordBatchTransport
from streams.kafka.record_batches import RecordBatch
from streams.settings import load_settings

SKIPPED = {5, 10, 15}
_numbers = itertools.count(1)


class SkippingConsumer(RecordBatchConsumer):
    """Queues these batches and clears the queues before an agent comes to take them."""

    async def _deliver(self, message: ConsumerMessage) -> None:
        if isinstance(message.value, RecordBatch) and next(_numbers) in SKIPPED:
            # No other task runs between these two lines: queueing does not wait.
            await self.callback(message)
            self.app.flow_control.clear()
        else:
            await super()._deliver(message)


if __name__ == "__main__":
    RecordBatchTransport.Consumer = SkippingConsumer
    run_worker(load_settings())
