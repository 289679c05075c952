"""The engine on a real Ray: it grows with what waits, streams, finds its caches, and an engine that is killed loses nothing."""

from __future__ import annotations

import asyncio
import json
import signal
from base64 import b64encode
from collections.abc import AsyncIterator
from pathlib import Path
from random import Random
from typing import cast

import aiohttp
import pytest
import pytest_asyncio

from bot.engines.client import EngineClient
from bot.errors import EngineRefused
from bot.store.database import sqlite_url
from engine.api import ChatRequest, Chunk, ImagePart, ImageUrl, Message, TextPart
from tests.bot.rig import ScriptedEngine, running
from tests.cluster.conftest import ENVIRONMENT, PYTHON, ROWS, Cluster, wait_until
from tests.compatibility.test_clients import output
from tests.load.people import drawing

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(1800)]

ROOT = Path(__file__).parents[2]
LONG, SHOWN = 150, 40  # tokens of an answer, characters of it that were read before an engine is killed


@pytest_asyncio.fixture
async def engine(cluster: Cluster) -> AsyncIterator[EngineClient]:
    async with aiohttp.ClientSession() as session:
        yield EngineClient(session, cluster.url)


async def grown(engine: EngineClient, rows: int = 2 * ROWS) -> None:
    """Wait until both replicas are ready, as a bot with a full queue does."""
    engine.note_waiting(50)
    async with asyncio.timeout(600):
        while (await engine.health()).rows < rows:  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.5)


def asking(text: str, number: int = 0, tokens: int = 60, least: int = 0) -> ChatRequest:
    """About the picture of this number."""
    url = "data:image/jpeg;base64," + b64encode(drawing(Random(number))).decode()
    said = (ImagePart(image_url=ImageUrl(url=url)), TextPart(text=text))
    return ChatRequest(messages=(Message(role="user", content=said),), temperature=0, max_tokens=tokens, min_tokens=least)


async def answer(engine: EngineClient, request: ChatRequest) -> tuple[str, list[Chunk]]:
    chunks = [chunk async for chunk in engine.stream(request)]
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices), chunks


async def test_it_grows_with_what_waits_at_the_bot(engine: EngineClient) -> None:
    assert (await engine.health()).rows == ROWS
    await grown(engine)


async def test_answers_stream_whole_and_with_their_counts(engine: EngineClient) -> None:
    text, chunks = await answer(engine, asking("Which colour is it?"))
    assert text
    assert len(chunks) > 3
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens > 3


async def test_what_is_wrong_is_refused_as_by_an_engine(engine: EngineClient, cluster: Cluster) -> None:
    with pytest.raises(EngineRefused, match="serves"):
        await answer(engine, asking("Hi").model_copy(update={"model": "another"}))
    async with aiohttp.ClientSession(cluster.url) as session:
        async with session.post("/v1/chat/completions", data=b"{", headers={"Content-Type": "application/json"}) as refused:
            assert (refused.status, (await refused.json())["error"]["type"]) == (400, "invalid_request_error")
        async with session.get("/v1/models") as listed:
            assert [entry["id"] for entry in (await listed.json())["data"]] == ["pocket"]


async def test_every_replica_forgets(cluster: Cluster) -> None:
    async with aiohttp.ClientSession(cluster.url) as session:
        async with session.post("/v1/forget", json={"pictures": ["a" * 64]}) as forgotten:
            assert forgotten.status == 204
        async with session.post("/v1/forget", json={"pictures": ["a goose"]}) as refused:
            assert refused.status == 400


async def test_a_picture_finds_the_engine_that_knows_it(engine: EngineClient, cluster: Cluster) -> None:
    await grown(engine)
    before = cluster.calls("answer")
    for text in ("Which colour is it?", "What shape is it?", "How many are there?", "Where is it?"):
        await answer(engine, asking(text, 5, 8))

    def asked() -> list[int]:  # of each replica; Ray logs a call a little after its end
        return sorted(now - then for now, then in zip(cluster.calls("answer"), before, strict=True))

    await asyncio.to_thread(wait_until, lambda: sum(asked()) >= 4)
    assert asked()[-1] == 4


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hung"])
async def test_an_engine_lost_in_mid_answer_loses_nothing_and_says_nothing_twice(
    signum: signal.Signals, engine: EngineClient, cluster: Cluster
) -> None:
    """One of two engines that are full is killed, or hangs: each answer goes on in its stream, to as many tokens as it would have had.

    One that hangs does not end by itself: Ray finds that out, ends it and starts another.
    """
    await grown(engine)
    before = len(cluster.lost())
    requests = [asking("What is this?", number, LONG, LONG) for number in range(2 * ROWS)]
    undisturbed = [(await answer(engine, request))[0] for request in requests]
    begun = asyncio.Semaphore(0)

    async def watched(request: ChatRequest) -> tuple[str, int]:
        text, tokens = "", 0
        async for chunk in engine.stream(request):
            text += "".join(choice.delta.content or "" for choice in chunk.choices)
            tokens = chunk.usage.completion_tokens if chunk.usage else tokens
            if len(text) > SHOWN:
                begun.release()
        return text, tokens

    async with asyncio.TaskGroup() as tasks:
        answers = [tasks.create_task(watched(request)) for request in requests]
        for _ in range(40):  # both engines are in the middle of theirs
            await begun.acquire()
        victim = cluster.engines()[0]
        victim.send_signal(signum)
    for task, whole in zip(answers, undisturbed, strict=True):
        text, tokens = task.result()
        assert text[:SHOWN] == whole[:SHOWN]
        assert LONG <= tokens <= LONG + 10  # begun anew and added to what was shown, it would be longer by that
        assert len(text) < 1.5 * len(whole)
    await asyncio.to_thread(wait_until, lambda: len(cluster.lost()) > before, 30.0)
    await asyncio.to_thread(wait_until, lambda: not victim.is_running())
    await grown(engine)  # Ray starts another in its place


async def test_a_whole_bot_loses_no_question_to_a_kill(engine: EngineClient, cluster: Cluster, tmp_path: Path) -> None:
    await grown(engine)
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, cast(ScriptedEngine, engine)) as rig:
        for number in range(20):
            await rig.say(f"What is a goose, number {number}?")
            if number == 10:
                cluster.engines()[-1].kill()
        finals = await rig.finals(20)
    assert len(finals) == 20
    assert not any("engine" in text or "lost" in text for text in finals)
    await grown(engine)


async def test_the_config_of_deploy_ray_is_one(cluster: Cluster) -> None:
    program = (
        "import json, yaml; from pathlib import Path; from ray.serve.schema import ServeDeploySchema; "
        "from engine.cluster.options import ClusterOptions; from engine.cluster.deployment import build; "
        f"told = yaml.safe_load(Path({str(ROOT / 'deploy/ray/serve.yaml')!r}).read_text()); ServeDeploySchema.model_validate(told); "
        "args = told['applications'][0]['args']; build(args); print(json.dumps(ClusterOptions.model_validate(args).model_dump()))"
    )
    said = json.loads((await output(PYTHON, "-c", program)).splitlines()[-1])
    assert (said["gpus"], said["most_replicas"]) == (1, 8)


def test_ray_is_not_in_the_suites_own_environment() -> None:
    assert ENVIRONMENT.name != ".venv"
