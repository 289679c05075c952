"""The engine's errors leave with OpenAI's status, type and code."""

from __future__ import annotations

import pytest

from engine.errors import (
    AuthenticationError,
    ContextError,
    EngineError,
    GenerationError,
    NotReadyError,
    OverloadedError,
    PictureError,
    RequestError,
    UnknownModelError,
)
from engine.server.refusals import refusal


@pytest.mark.parametrize(
    ("error", "status", "kind", "code"),
    [
        (RequestError("m", "n"), 400, "invalid_request_error", None),
        (PictureError("m", "n"), 400, "invalid_request_error", "invalid_image"),
        (ContextError("m", "n"), 400, "invalid_request_error", "context_length_exceeded"),
        (UnknownModelError("m", "n"), 404, "invalid_request_error", "model_not_found"),
        (AuthenticationError("m"), 401, "authentication_error", "invalid_api_key"),
        (OverloadedError("m", 7), 429, "rate_limit_error", "overloaded"),
        (NotReadyError("m", 7), 503, "server_error", "not_ready"),
        (GenerationError("m"), 500, "server_error", None),
    ],
)
def test_errors_have_openai_s_form(error: EngineError, status: int, kind: str, code: str | None) -> None:
    said = refusal(error)
    assert (said.status, said.body.error.type, said.body.error.code, said.body.error.message) == (status, kind, code, "m")
    assert said.body.error.param == ("n" if isinstance(error, RequestError) else None)
    assert said.retry_after == (7 if isinstance(error, NotReadyError) else None)
