"""What the worker serves over HTTP: a live page, metrics for Prometheus, and whether it lives and is ready."""

from __future__ import annotations

import time
from html import escape
from importlib.resources import files

import msgspec
from faust.web import Request, Response, View
from faust.web.base import BlueprintManager
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from streams.http.limits import add_limits
from streams.http.live_page import LivePage
from streams.observing.conditions import KINDS, MOSTLY_REFUSED, QUIET
from streams.observing.model_pasts import SAMPLE_SECONDS
from streams.worker.worker_app import Groundswell
from streams.worker.worker_conditions import not_ready

PAGE_FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
}
TOLD_WHERE_READY = {QUIET.name, MOSTLY_REFUSED.name}
"""What `/readyz` says beside that the worker is ready."""
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
    """Add `/`, `/live.json`, `/runbook`, `/metrics`, `/healthz` and `/readyz`."""
    app.web.blueprints = BlueprintManager()  # Faust's own page at / among them
    add_limits(app)

    _add_live_page(app)

    @app.page("/metrics")
    async def metrics(view: View, request: Request) -> Response:
        return view.bytes(generate_latest(app.metrics.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    @app.page("/healthz")
    async def healthz(view: View, request: Request) -> Response:
        trouble = app.liveness.trouble() if app.failure is None else f"ends: {app.failure}"
        return view.text((trouble or "ok") + "\n", status=503 if trouble else 200)

    @app.page("/readyz")
    async def readyz(view: View, request: Request) -> Response:
        trouble = not_ready(app)
        told = [one.says for one in app.conditions.standing() if one.name in TOLD_WHERE_READY]
        return view.text(f"{trouble or '; '.join(['ready', *told])}\n", status=503 if trouble else 200)


def _add_live_page(app: Groundswell) -> None:
    live = LivePage(app)

    @app.timer(SAMPLE_SECONDS, name="live-page")  # type: ignore[untyped-decorator]  # Faust's decorators are untyped
    async def sample() -> None:
        live.sample(time.time())

    @app.page("/live.json")
    async def live_json(view: View, request: Request) -> Response:
        shown = live.now(request.query.get("model"), not_ready(app))
        return view.bytes(msgspec.json.encode(shown), headers={**HEADERS, "Content-Type": "application/json"})

    _add_file(app, "/runbook", _runbook().encode(), "text/html; charset=utf-8")
    for path, (name, content_type) in PAGE_FILES.items():
        _add_file(app, path, files("streams.http").joinpath("page", name).read_bytes(), content_type)


def _add_file(app: Groundswell, path: str, content: bytes, content_type: str) -> None:
    @app.page(path, name=path)
    async def file(view: View, request: Request) -> Response:
        return view.bytes(content, headers={**HEADERS, "Content-Type": content_type})


def _runbook() -> str:
    """Return the page that says of each condition what it means and what to do."""
    sections = "".join(
        f'<section id="{kind.name}"><h2>{kind.name}</h2><p>{_html(kind.means)}</p><p>{_html(kind.do)}</p></section>'
        for kind in KINDS
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>groundswell: what to do</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        '<link rel="stylesheet" href="page.css"></head><body class="runbook"><header><h1>What to do</h1>'
        '<p><a href=".">Back to the worker</a></p></header><main>' + sections + "</main></body></html>"
    )


def _html(text: str) -> str:
    """Return a text as HTML; what stands between backticks is code."""
    parts = escape(text).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
