"""The bot asks real servers of other projects: llama.cpp's and vLLM's, with tiny random models. `make compatibility` installs them.

What each takes, ignores and refuses is asked of it here, and docs/engine.md's table says what was seen.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

from bot.engines.client import EngineClient
from bot.engines.compatibility import OURS, PICTURES
from bot.errors import EngineRefused, Fault
from bot.store.database import sqlite_url
from engine.api import ChatRequest, ImagePart, ImageUrl, Message, TextPart
from tests.bot.rig import ScriptedEngine, attachment, running
from tests.compatibility.test_clients import red
from tests.compatibility.tiny_models import tiny_gguf, tiny_llama

SERVERS = Path(os.environ.get("GANDER_SERVERS", "build/servers")).resolve()
LLAMA_CPP, VLLM = SERVERS / "llama.cpp" / "bin" / "llama-server", SERVERS / "vllm" / "bin" / "vllm"
START_SECONDS = 600.0
HELLO: Mapping[str, Any] = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 12, "temperature": 0}

pytestmark = [pytest.mark.compatibility, pytest.mark.timeout(1500)]


@asynccontextmanager
async def started(*command: str | Path, **environment: str) -> AsyncIterator[str]:
    """The address of a server that is ready."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    environ = {**os.environ, **environment}
    process = await asyncio.create_subprocess_exec(*command, "--port", str(port), stdout=-3, stderr=-3, env=environ, start_new_session=True)
    url = f"http://127.0.0.1:{port}"
    try:
        async with asyncio.timeout(START_SECONDS), aiohttp.ClientSession() as session:
            while process.returncode is None and not await ready(session, url):  # noqa: ASYNC110 - nobody announces it
                await asyncio.sleep(0.2)
        assert process.returncode is None, "the server ended"
        yield url
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def ready(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(f"{url}/health") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False


@asynccontextmanager
async def llama_cpp(folder: Path) -> AsyncIterator[str]:
    if not LLAMA_CPP.exists():
        pytest.skip("llama.cpp's server is not installed: `make compatibility` does that")
    async with started(LLAMA_CPP, "-m", tiny_gguf(folder / "tiny.gguf"), "-c", "512", "-np", "2", "-t", "1") as url:
        yield url


@asynccontextmanager
async def vllm(folder: Path) -> AsyncIterator[str]:
    """Words only: without torchvision, which is not to be had for its torch, it loads no model that sees."""
    if not VLLM.exists():
        pytest.skip("vLLM is not installed: `make compatibility` does that")
    options = ("--served-model-name", "tiny", "--max-model-len", "512", "--dtype", "float32", "--enforce-eager")
    quiet = {"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "OMP_NUM_THREADS": "1"}
    async with started(VLLM, "serve", str(tiny_llama(folder / "tiny")), *options, **quiet) as url:
        yield url


async def asked(session: aiohttp.ClientSession, url: str, **fields: object) -> tuple[int, dict[str, Any]]:
    models = await (await session.get(f"{url}/v1/models")).json()
    body = {**HELLO, "model": models["data"][0]["id"], **fields}
    async with session.post(f"{url}/v1/chat/completions", json=body) as response:
        return response.status, await response.json()


async def text(session: aiohttp.ClientSession, url: str, **fields: object) -> str:
    status, told = await asked(session, url, **fields)
    assert status == 200, told
    return str(told["choices"][0]["message"]["content"])


async def effects(url: str) -> dict[str, bool]:
    """Which fields have their effect, found out by answers alone: what is taken and ignored shows, too."""
    hot = {"temperature": 2.0, "top_p": 1.0}
    async with aiohttp.ClientSession() as session:
        greedy = await text(session, url)
        _, several = await asked(session, url, n=2, **hot)
        _, scored = await asked(session, url, logprobs=True, top_logprobs=3)
        wild = [await text(session, url, seed=seed, **hot) for seed in (1, 1, 2)]
        return {
            "top_k": await text(session, url, top_k=1, seed=5, **hot) == greedy,
            "seed": wild[0] == wild[1] != wild[2],
            "stop": greedy[3] not in await text(session, url, stop=[greedy[3]]),
            "n": len(several.get("choices", ())) == 2,
            "logprobs": len(((scored["choices"][0].get("logprobs") or {}).get("content") or [{}])[0].get("top_logprobs", ())) >= 3,
            "repetition_penalty": await text(session, url, repetition_penalty=9.0, max_tokens=60)
            != await text(session, url, max_tokens=60),
            "num_beams": await text(session, url, num_beams=4, max_tokens=60) != await text(session, url, max_tokens=60),
        }


async def seen_by_the_bot(url: str, folder: Path, lacks: frozenset[str], rows: int) -> None:
    """A bot on this server: what it lacks, a question, a conversation, a stop, and a picture that its model can't see."""
    async with aiohttp.ClientSession() as session:
        client = EngineClient(session, url)
        health = await client.health()
        assert (frozenset(health.lacks), health.rows) == (lacks, rows)
        beams = ChatRequest(
            messages=(Message(role="user", content="Hi"),), num_beams=3, top_k=5, max_tokens=5, logprobs=True, top_logprobs=2
        )
        chunks = [chunk async for chunk in client.stream(beams)]
        assert chunks[-1].usage is not None
        assert chunks[-1].usage.completion_tokens == 5
        assert any(choice.logprobs and choice.logprobs.content for chunk in chunks for choice in chunk.choices)
        shown = (ImagePart(image_url=ImageUrl(url="data:image/png;base64,iVBORw0KGgo=")), TextPart(text="What?"))
        with pytest.raises(EngineRefused) as refused:
            assert [chunk async for chunk in client.stream(ChatRequest(messages=(Message(role="user", content=shown),)))]
        assert refused.value.fault is Fault.SIGHT
        assert PICTURES in (await client.health()).lacks
        async with running(sqlite_url(folder / "gander.db"), folder, cast(ScriptedEngine, client)) as rig:
            await rig.say("Hello, who are you?")
            await rig.finals(1)
            await rig.say("And this?", attachments=(attachment(red()),))
            assert "sees no pictures" in (await rig.finals(2))[1]
            await rig.press("settings")
            await rig.until(lambda: "sees no pictures" in "".join(rig.chat.finals()[2:]))
            assert "doesn't know: beams" in "".join(rig.chat.finals())


async def test_llama_cpp(tmp_path: Path) -> None:
    async with llama_cpp(tmp_path) as url:
        found = await effects(url)
        sys.stdout.write(f"llama.cpp: {found}\n")
        assert {name for name, works in found.items() if not works} == {"num_beams", "repetition_penalty"}
        await seen_by_the_bot(url, tmp_path, OURS - {"top_k"} | {PICTURES}, rows=2)


async def test_vllm(tmp_path: Path) -> None:
    async with vllm(tmp_path) as url:
        found = await effects(url)
        sys.stdout.write(f"vLLM: {found}\n")
        assert {name for name, works in found.items() if not works} == {"num_beams"}
        await seen_by_the_bot(url, tmp_path, OURS - {"top_k", "repetition_penalty", "min_tokens"}, rows=4)
