"""What the worker serves over HTTP: metrics for Prometheus, and whether it lives and is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from faust.web import Request, Response, View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

if TYPE_CHECKING:
    from streams.app import Groundswell


def add_pages(app: Groundswell) -> None:
    """Add `/metrics`, `/healthz` and `/readyz`."""

    @app.page("/metrics")
    async def metrics(view: View, request: Request) -> Response:
        return view.bytes(generate_latest(app.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.page("/healthz")
    async def healthz(view: View, request: Request) -> Response:
        return view.text("ok\n")

    @app.page("/readyz")
    async def readyz(view: View, request: Request) -> Response:
        not_ready = _not_ready(app)
        return view.text((not_ready or "ready") + "\n", status=503 if not_ready else 200)


def _not_ready(app: Groundswell) -> str | None:
    if not app.flowing:
        return "waiting for partitions"
    if not (app.partitions.joins or app.partitions.learners):
        return "holds no partition"
    return None
