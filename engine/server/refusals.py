"""How the engine's errors leave over HTTP: a status, and OpenAI's error body."""

from __future__ import annotations

from dataclasses import dataclass

from engine.api import ErrorBody, ErrorDetail
from engine.errors import (
    AuthenticationError,
    ContextError,
    EngineError,
    NotReadyError,
    OverloadedError,
    PictureError,
    RequestError,
    UnknownModelError,
)

# The first row whose class the error has: status, OpenAI's `type`, OpenAI's `code`.
STATUSES: tuple[tuple[type[EngineError], int, str, str | None], ...] = (
    (UnknownModelError, 404, "invalid_request_error", "model_not_found"),
    (PictureError, 400, "invalid_request_error", "invalid_image"),
    (ContextError, 400, "invalid_request_error", "context_length_exceeded"),
    (RequestError, 400, "invalid_request_error", None),
    (AuthenticationError, 401, "authentication_error", "invalid_api_key"),
    (OverloadedError, 429, "rate_limit_error", "overloaded"),
    (NotReadyError, 503, "server_error", "not_ready"),
    (EngineError, 500, "server_error", None),
)


@dataclass(frozen=True)
class Refusal:
    """An error as an HTTP response. `retry_after` is in seconds."""

    status: int
    body: ErrorBody
    retry_after: int | None = None


def refusal(error: EngineError) -> Refusal:
    """An error → HTTP status and OpenAI's error body."""
    status, kind, code = next(row[1:] for row in STATUSES if isinstance(error, row[0]))
    param = error.param if isinstance(error, RequestError) else None
    detail = ErrorDetail(message=str(error), type=kind, param=param, code=code)
    return Refusal(status, ErrorBody(error=detail), error.retry_after if isinstance(error, NotReadyError) else None)
