"""The real decoder behind the real server: what OpenAI's own client sees of beams, choices, seeds and usage."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession

from engine.core.build import build_engine
from engine.core.worker import Loaded
from engine.metrics import Metrics
from tests.engine.serving import serving
from tests.engine.tiny import TinyModel, tiny_card

if TYPE_CHECKING:  # else imported by the tests that ask with it: it takes half a second
    from openai import AsyncOpenAI
    from openai.types.chat import ChatCompletionChunk, ChatCompletionMessageParam

HI: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hi"}]


@asynccontextmanager
async def client() -> AsyncIterator[AsyncOpenAI]:
    from openai import AsyncOpenAI

    metrics = Metrics()

    def load() -> Loaded:
        engine = build_engine(TinyModel(), metrics=metrics)
        return Loaded(engine, "cpu", lambda: 1, engine.capacity.rows, engine.preprocessor.prepare)

    async with (
        serving(load, card=tiny_card(), metrics=metrics) as url,
        AsyncOpenAI(base_url=f"{url}/v1", api_key="none", max_retries=0) as api,
    ):
        yield api


async def streamed(api: AsyncOpenAI, **extra: object) -> list[ChatCompletionChunk]:
    stream = await api.chat.completions.create(
        model="tiny", messages=HI, max_tokens=12, stream=True, stream_options={"include_usage": True}, extra_body=extra
    )
    return [chunk async for chunk in stream]


async def test_beams_send_the_best_text_so_far_and_the_answer_once_at_the_end() -> None:
    async with client() as api:
        chunks = [chunk for chunk in await streamed(api, num_beams=3) if chunk.choices]
        whole = await api.chat.completions.create(model="tiny", messages=HI, max_tokens=12, extra_body={"num_beams": 3})
    provisional = [(chunk.choices[0].model_extra or {}).get("provisional") for chunk in chunks]
    contents = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices[0].delta.content]
    assert sum(text is not None for text in provisional) > 3
    assert contents == [whole.choices[0].message.content]
    assert not any(text for text in provisional[provisional.index(None) :])  # none after the answer


async def test_several_choices_are_told_apart_by_index_and_a_seed_repeats_them() -> None:
    async with client() as api:
        first, second = [
            await api.chat.completions.create(model="tiny", messages=HI, n=3, seed=7, temperature=1.5, max_tokens=12) for _ in range(2)
        ]
    texts = [choice.message.content for choice in first.choices]
    assert [choice.index for choice in first.choices] == [0, 1, 2]
    assert len(set(texts)) == 3
    assert texts == [choice.message.content for choice in second.choices]
    assert first.usage is not None
    assert first.usage.completion_tokens > 12


async def test_temperature_zero_is_greedy_whatever_the_seed() -> None:
    async with client() as api:
        wholes = [await api.chat.completions.create(model="tiny", messages=HI, temperature=0, seed=seed, max_tokens=12) for seed in (1, 2)]
    assert wholes[0].choices[0].message.content == wholes[1].choices[0].message.content


async def test_a_stop_string_ends_the_answer_before_itself() -> None:
    async with client() as api:
        whole = (await api.chat.completions.create(model="tiny", messages=HI, max_tokens=12)).choices[0].message.content or ""
        stopped = (await api.chat.completions.create(model="tiny", messages=HI, max_tokens=12, stop=[whole[4:6]])).choices[0]
    assert (stopped.message.content, stopped.finish_reason) == (whole[: whole.index(whole[4:6])], "stop")


async def test_log_probabilities_are_those_of_the_text() -> None:
    async with client() as api:
        whole = await api.chat.completions.create(model="tiny", messages=HI, max_tokens=12, logprobs=True, top_logprobs=2)
    tokens = (whole.choices[0].logprobs and whole.choices[0].logprobs.content) or []
    assert len(tokens) == 12
    assert all(token.token == token.top_logprobs[0].token and token.logprob <= 0 for token in tokens)  # greedy
    joined = b"".join(bytes(token.bytes or ()) for token in tokens).decode(errors="replace")
    assert joined.replace("\ufffd", "").strip() == whole.choices[0].message.content


async def test_the_tree_of_beams_ends_in_the_answer() -> None:
    async with client() as api:
        extra = {"num_beams": 3, "beam_tree": True}
        whole = await api.chat.completions.create(model="tiny", messages=HI, max_tokens=6, extra_body=extra)
    tree = (whole.choices[0].model_extra or {})["beams"]
    assert [node["text"] for node in tree if node.get("choice") == 0] == [whole.choices[0].message.content]
    for node in tree:
        parent = None if node["parent"] is None else tree[node["parent"]]
        assert node["step"] == (1 if parent is None else parent["step"] + 1)
        assert node["score"] <= (0 if parent is None else parent["score"])


@pytest.mark.parametrize("seed", range(8))
async def test_a_tree_of_half_characters_knows_its_answers(seed: int) -> None:
    """At this temperature the tiny model says any bytes, few of which are characters by themselves."""
    async with client() as api:
        extra = {"num_beams": 4, "beam_tree": True}
        whole = await api.chat.completions.create(model="tiny", messages=HI, max_tokens=16, n=2, temperature=2, seed=seed, extra_body=extra)
    told = {choice.index: choice.message.content for choice in whole.choices}
    tree = (whole.choices[0].model_extra or {})["beams"]
    assert {node["choice"]: node["text"] for node in tree if "choice" in node} == told
    for node in tree:
        if "choice" not in node:
            assert not node["text"].endswith("\ufffd")


async def test_prometheus_reads_what_the_engine_did() -> None:
    async with client() as api, ClientSession() as http:
        for question in ("Hi", "Ho"):
            await api.chat.completions.create(model="tiny", messages=[{"role": "user", "content": question}], max_tokens=12)
        shown = await (await http.get(str(api.base_url).replace("/v1/", "/metrics"))).text()
    found = dict(line.rsplit(" ", 1) for line in shown.splitlines() if not line.startswith("#"))
    assert (found["gander_tokens_total"], found["gander_first_token_seconds_count"]) == ("24.0", "2.0")
    assert 0 < float(found["gander_prompt_tokens_cached_total"]) < float(found["gander_prompt_tokens_total"])
