"""Why a request gets no answer, as HTTP says it."""

from __future__ import annotations

import math
from http import HTTPStatus


class RefusedError(Exception):
    """A request is not answered: the status, what is wrong and what to do, and after how many seconds to try again."""

    def __init__(self, status: HTTPStatus, detail: str, *, retry_seconds: float | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail
        self.headers: dict[str, str] = {}
        if retry_seconds is not None:
            self.headers["Retry-After"] = str(max(1, math.ceil(retry_seconds)))
        if status is HTTPStatus.UNAUTHORIZED:
            self.headers["WWW-Authenticate"] = "Bearer"
