"""Says which signals tell the action: in a gauge each, and in the log when that begins or ends."""

from __future__ import annotations

from collections.abc import Mapping

from processors.learners.signal_reading import Leak
from streams.observing.logs import get_log
from streams.observing.metrics import Metrics

LOG = get_log(__name__)


class LeakReport:
    """What the learners of this worker have found, by model and partition."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._found: dict[str, dict[int, Mapping[str, Leak]]] = {}

    def note(self, partition: int, model: str, leaks: Mapping[str, Leak]) -> None:
        """Take in what a model's learner on a partition says now."""
        found = self._found.setdefault(model, {})
        before = found.get(partition, {})
        if leaks == before:
            return
        found[partition] = leaks
        for signal in leaks.keys() - before.keys():
            leak = leaks[signal]
            LOG.warning(
                "a signal tells the action, whoever sees it: "
                + ("it is left out" if leak.left_out else "it is named in the configuration, and learned from still"),
                model=model,
                partition=partition,
                signal=signal,
                explained_by_action=round(leak.share, 3),
            )
        for signal in before.keys() - leaks.keys():
            LOG.warning("a signal no longer tells the action", model=model, partition=partition, signal=signal)
        self._tell(model)

    def leave(self, partition: int, model: str) -> None:
        """Forget what was found on a partition that has gone to another worker."""
        if self._found.get(model, {}).pop(partition, None):
            self._tell(model)

    def _tell(self, model: str) -> None:
        self._metrics.drop_leaks(model)
        for one in self._found[model].values():
            for signal, leak in one.items():
                # At most `leaking_signals.MOST_SIGNALS` a learner: these names are bounded as they are.
                self._metrics.leaking_signals.labels(model, signal, str(leak.left_out).lower()).set(leak.share)
