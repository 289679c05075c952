"""Every request gets an id and a log line without its text, errors have OpenAI's form, and the key is asked for."""

from __future__ import annotations

from io import BytesIO

import aiohttp
import pytest
import structlog

from tests.engine.server.test_app import HI, client
from tests.engine.serving import serving


async def test_the_key_is_asked_for() -> None:
    import openai

    async with serving(key="opensesame") as url:
        async with client(url, "wrong") as api:
            with pytest.raises(openai.AuthenticationError):
                await api.chat.completions.create(model="letters", messages=HI)
        async with client(url, "opensesame") as api:
            assert (await api.chat.completions.create(model="letters", messages=HI)).choices
        async with aiohttp.ClientSession() as http:
            assert (await http.get(f"{url}/v1/models")).status == 401
            assert (await http.get(f"{url}/v1/models", headers={"Authorization": "Bearer ünsinn"})).status == 401
            assert (await http.get(f"{url}/health")).status == 200
            assert (await http.get(f"{url}/metrics")).status == 401
            figures = await http.get(f"{url}/metrics", headers={"Authorization": "Bearer opensesame"})
            assert (figures.status, figures.content_type) == (200, "text/plain")
            assert "gander_tokens_total 0.0" in (await figures.text())


@pytest.mark.parametrize(
    ("method", "path", "body", "kind", "status", "reason"),
    [
        ("POST", "/v1/chat/completions", b"{", "application/json", 400, "not valid JSON"),
        ("POST", "/v1/chat/completions", b"\x00" * 1000, "application/json", 400, "not valid JSON"),
        ("POST", "/v1/chat/completions", b"{}", "text/plain", 400, "Content-Type: application/json"),
        ("POST", "/v1/chat/completions", bytes((64 << 20) + 1), "application/json", 413, "67108864"),
        ("GET", "/v1/chat/completions", b"", "application/json", 405, "Method Not Allowed"),
        ("GET", "/v2/anything", b"", "application/json", 404, "Not Found"),
    ],
)
async def test_whatever_comes_in_errors_have_openai_s_form(
    method: str, path: str, body: bytes, kind: str, status: int, reason: str
) -> None:
    async with serving() as url, aiohttp.ClientSession() as http:
        response = await http.request(method, url + path, data=BytesIO(body), headers={"Content-Type": kind})
        assert response.status == status
        assert reason in (await response.json())["error"]["message"]


async def test_a_sound_request_id_is_kept_and_a_hostile_one_replaced() -> None:
    async with serving() as url, aiohttp.ClientSession() as http:
        kept = await http.post(f"{url}/v1/chat/completions", json={"messages": HI, "stream": True}, headers={"X-Request-Id": "job-42"})
        replaced = await http.get(f"{url}/health", headers={"X-Request-Id": 'x" level="error'})
        assert (await kept.text()).endswith("data: [DONE]\n\n")
    assert kept.headers["X-Request-Id"] == "job-42"
    assert len(replaced.headers["X-Request-Id"]) == 32


async def test_the_log_holds_the_id_and_no_text() -> None:
    with structlog.testing.capture_logs([structlog.contextvars.merge_contextvars]) as lines:
        async with serving(key="opensesame") as url, aiohttp.ClientSession() as http:
            headers = {"X-Request-Id": "job-42", "Authorization": "Bearer opensesame"}
            body = {"messages": [{"role": "user", "content": "secrettext"}]}
            await http.post(f"{url}/v1/chat/completions?q=secretquery", json=body, headers=headers)
    line = next(line for line in lines if line["event"] == "request")
    assert (line["request_id"], line["path"], line["status"]) == ("job-42", "/v1/chat/completions", 200)
    assert not any(secret in str(lines) for secret in ("secret", "opensesame"))


@pytest.mark.parametrize("host", ["goose.example", "goose.example:8000", "127.0.0.1.goose.example", "10.0.0.1", "[", ""])
async def test_without_a_key_it_answers_to_names_of_this_machine_alone(host: str) -> None:
    """Else a web page could name itself so that it leads here, and ask (DNS rebinding)."""
    async with serving() as url, aiohttp.ClientSession() as http:
        assert (await http.get(f"{url}/v1/models", headers={"Host": host})).status in {400, 403}
        assert (await http.get(f"{url}/v1/models", headers={"Host": "localhost:8000"})).status == 200
        assert (await http.get(f"{url}/v1/models", headers={"Host": "[::1]"})).status == 200


async def test_with_a_key_it_answers_to_any_name() -> None:
    async with serving(key="opensesame") as url, aiohttp.ClientSession() as http:
        headers = {"Host": "goose.example", "Authorization": "Bearer opensesame"}
        assert (await http.get(f"{url}/v1/models", headers=headers)).status == 200
