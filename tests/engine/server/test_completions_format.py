"""OpenAI's older completions of one text, asked by its own SDK."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from tests.engine.serving import serving

if TYPE_CHECKING:  # else imported by the tests that ask with it: it takes half a second
    import openai


def sdk(url: str) -> openai.AsyncOpenAI:
    import openai

    return openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0)


async def test_a_text_is_completed_whole_and_streamed() -> None:
    async with serving() as url, sdk(url) as api:
        model = (await api.models.list()).data[0].id
        whole = await api.completions.create(model=model, prompt="Hi", max_tokens=6, temperature=0, logprobs=2)
        pieces = [
            piece async for piece in await api.completions.create(model=model, prompt=["Hi"], max_tokens=6, temperature=0, stream=True)
        ]
    assert whole.object == "text_completion"
    assert "".join(piece.choices[0].text for piece in pieces) == whole.choices[0].text != ""
    assert pieces[-1].choices[0].finish_reason == whole.choices[0].finish_reason
    scored = whole.choices[0].logprobs
    assert scored is not None
    assert scored.tokens
    assert "".join(scored.tokens) == whole.choices[0].text
    assert all(whole.choices[0].text[at:].startswith(token) for at, token in zip(scored.text_offset or [], scored.tokens, strict=True))


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "prompt"),
        ({"prompt": [1, 2]}, "prompt"),
        ({"prompt": "a", "echo": True}, "echo"),
        ({"prompt": "a", "logprobs": 99}, "logprobs"),
    ],
)
async def test_what_is_no_text_is_refused_by_name(fields: dict[str, Any], param: str) -> None:
    async with serving() as url, aiohttp.ClientSession() as session, session.post(f"{url}/v1/completions", json=fields) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["param"] == param
