"""`groundswell worker`: beside the composition root, which it starts."""

from __future__ import annotations

from streams.command_line import ConfigOption, fail, load_or_fail


def worker(config: ConfigOption = None) -> None:
    """Join, learn and publish until stopped."""
    from streams.app import run_worker  # noqa: PLC0415  # Faust and numba take a second: only where they are used
    from streams.worker.process import REFUSALS  # noqa: PLC0415

    settings = load_or_fail(config)
    if not settings.models:
        fail('no model is configured: add a section [models.NAME] with definitely_negative = ["…"]')
    try:
        run_worker(settings)
    except REFUSALS as error:
        fail(str(error))
