"""What the worker serves over HTTP: a live page, metrics for Prometheus, and whether it lives and is ready."""

from __future__ import annotations

import time
from importlib.resources import files

import msgspec
from faust.web import Request, Response, View
from faust.web.base import BlueprintManager
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.http.live_page import SAMPLE_SECONDS, LivePage
from streams.worker.worker_app import Groundswell

PAGE_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
HEADERS = {
    # The page is made of its own three files and reads /live.json: nothing else may run in it or be asked by it.
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


def add_pages(app: Groundswell) -> None:
    """Add `/`, `/live.json`, `/metrics`, `/healthz` and `/readyz`."""
    app.web.blueprints = BlueprintManager()  # Faust's own page at / among them

    _add_live_page(app)

    @app.page("/metrics")
    async def metrics(view: View, request: Request) -> Response:
        return view.bytes(generate_latest(app.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.page("/healthz")
    async def healthz(view: View, request: Request) -> Response:
        trouble = app.liveness.trouble()
        return view.text((trouble or "ok") + "\n", status=503 if trouble else 200)

    @app.page("/readyz")
    async def readyz(view: View, request: Request) -> Response:
        not_ready = _not_ready(app)
        return view.text((not_ready or "ready") + "\n", status=503 if not_ready else 200)


def _add_live_page(app: Groundswell) -> None:
    live = LivePage(app)

    @app.timer(SAMPLE_SECONDS, name="live-page")  # type: ignore[untyped-decorator]  # Faust's decorators are untyped
    async def sample() -> None:
        live.sample(time.time())

    @app.page("/live.json")
    async def live_json(view: View, request: Request) -> Response:
        shown = live.now(request.query.get("model"), _not_ready(app))
        return view.bytes(msgspec.json.encode(shown), headers={**HEADERS, "Content-Type": "application/json"})

    for path, (name, content_type) in PAGE_FILES.items():
        _add_file(app, path, files("streams.http").joinpath("page", name).read_bytes(), content_type)


def _add_file(app: Groundswell, path: str, content: bytes, content_type: str) -> None:
    @app.page(path, name=path)
    async def file(view: View, request: Request) -> Response:
        return view.bytes(content, headers={**HEADERS, "Content-Type": content_type})


def _not_ready(app: Groundswell) -> str | None:
    if not app.flowing:
        return "waiting for partitions"
    if app.seeking:
        return "restoring partitions"
    if not (app.partitions.joins or app.partitions.learners):
        return "holds no partition"
    return None
