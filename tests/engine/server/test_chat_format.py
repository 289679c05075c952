"""Chat completions: a mistake is named by the field that was sent."""

from __future__ import annotations

import aiohttp

from tests.engine.serving import serving


async def test_a_field_has_the_name_that_was_sent() -> None:
    async with serving() as url, aiohttp.ClientSession() as session:
        for name in ("max_tokens", "max_completion_tokens"):
            fields = {"messages": [{"role": "user", "content": "Hi"}], name: 0}
            async with session.post(f"{url}/v1/chat/completions", json=fields) as answer:
                assert (await answer.json())["error"]["param"] == name
