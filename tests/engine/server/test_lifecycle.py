"""From the first bind to the last answer: who asks while the engine stops gets the answer, or hears that it stops."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading

import aiohttp
import pytest

from engine.core.worker import Loaded, Worker
from engine.errors import StartError
from engine.metrics import Metrics
from engine.server import lifecycle as serving
from engine.server.lifecycle import Bind, serve
from tests.engine.serving import serving as on_loopback
from tests.engine.tiny_letters import CARD, Letters

HI = [{"role": "user", "content": "Hi"}]


async def last_words(grace: float, tokens: int, monkeypatch: pytest.MonkeyPatch) -> str:
    """The stream of an answer of so many tokens, 10 ms each, in the middle of which the engine is told to stop."""
    monkeypatch.setattr(serving, "GRACE_SECONDS", grace)
    url, letters, metrics = asyncio.get_running_loop().create_future(), Letters(pause_seconds=0.01), Metrics()
    worker = Worker(letters.load, expected_seconds=0.1, metrics=metrics)
    served = asyncio.create_task(serve(CARD, worker, metrics, Bind("127.0.0.1", 0, None), url.set_result))
    async with aiohttp.ClientSession() as http:
        body = {"messages": HI, "stream": True, "max_tokens": tokens}
        answer = await http.post(f"{await url}/v1/chat/completions", json=body)
        os.kill(os.getpid(), signal.SIGTERM)
        text = await answer.text()
        await served
    return text


async def test_nothing_is_loaded_for_a_port_that_is_taken() -> None:
    begun = threading.Event()

    def load() -> Loaded:
        begun.set()
        return Letters().load()

    worker = Worker(load, expected_seconds=0.1)
    async with on_loopback() as url:
        port = int(url.rpartition(":")[2])
        with pytest.raises(StartError, match=f"Can't listen on 127.0.0.1:{port}"):
            await serve(CARD, worker, Metrics(), Bind("127.0.0.1", port, None), print)
    assert not begun.is_set()


async def test_an_answer_under_way_is_finished_first(monkeypatch: pytest.MonkeyPatch) -> None:
    assert (await last_words(10, 30, monkeypatch)).endswith("data: [DONE]\n\n")


async def test_one_that_takes_too_long_ends_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    text = await last_words(0.1, 1_000_000, monkeypatch)
    assert json.loads(text.strip().rpartition("data: ")[2])["error"]["message"] == "The engine is stopping."


@pytest.mark.parametrize(
    ("host", "key"), [("192.168.1.6", None), ("192.168.1.5", None), ("goose", None), ("192.168.1.6", "k" * 15), ("127.0.0.1", "k")]
)
def test_other_machines_need_a_key_that_can_not_be_guessed(host: str, key: str | None) -> None:
    with pytest.raises(StartError, match="openssl"):
        Bind(host, 0, key).check()


@pytest.mark.parametrize(("host", "key"), [("127.0.0.1", None), ("::1", None), ("localhost", None), ("192.168.1.6", "k" * 16)])
def test_this_machine_needs_none(host: str, key: str | None) -> None:
    Bind(host, 0, key).check()
