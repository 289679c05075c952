"""The bot before servers as they really are: read leniently, asked for the right model, and no trouble kept from anybody."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest
import structlog

from bot.dispatch import engine_pool
from bot.engines.client import EngineClient, seconds
from bot.engines.compatibility import choose
from bot.engines.responses import chunk_of, models_of
from bot.errors import EngineRefused, Fault
from bot.message import Reply
from engine.api import ChatRequest, Chunk, Message
from tests.bot import other_servers as others
from tests.bot.other_servers import OtherServer, ending, words
from tests.bot.rig import Rig, ScriptedEngine, running

QUESTION = ChatRequest(messages=(Message(role="user", content="What?"),), temperature=0.5, max_tokens=50)


@asynccontextmanager
async def client_of(server: OtherServer, model: str = "") -> AsyncIterator[EngineClient]:
    async with server.serving() as url, aiohttp.ClientSession() as session:
        yield EngineClient(session, url, "a-key", model=model)


async def answer_of(client: EngineClient) -> tuple[str, str | None]:
    """The words, and how it ended."""
    await client.health()
    choices = [choice async for chunk in client.stream(QUESTION) for choice in chunk.choices]
    return "".join(choice.delta.content or "" for choice in choices), next(
        (c.finish_reason for c in reversed(choices) if c.finish_reason), None
    )


@asynccontextmanager
async def bot_on(server: OtherServer, tmp_path: Path, model: str = "") -> AsyncIterator[Rig]:
    async with (
        client_of(server, model) as client,
        running(f"sqlite:///{tmp_path}/gander.db", tmp_path, cast(ScriptedEngine, client)) as rig,
    ):
        yield rig


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([others.AZURE_FIRST, *words("One goose."), ending()], ("One goose.", "stop")),
        (others.NO_IDS, ("One goose.", "stop")),
        (others.NULL_DELTA, ("One goose.", "stop")),
        ([*words("One "), ending(finish_reason="content_filter")], ("One ", "content_filter")),
        ([*words("One goose."), ending(finish_reason="tool_calls")], ("One goose.", "stop")),
        ([*words("One goose."), ending(finish_reason="max_tokens")], ("One goose.", "length")),
        ([{"choices": [{"delta": {"refusal": "I can't help with that."}}]}, ending()], ("I can't help with that.", "stop")),
        ([{"choices": [{"delta": {"content": [{"type": "text", "text": "One goose."}]}}]}, ending()], ("One goose.", "stop")),
        (words("One goose."), ("One goose.", "stop")),  # [DONE] alone ends it
        ([*words("One goose."), ending(), {"choices": [], "usage": {"completion_tokens": 3}}], ("One goose.", "stop")),
    ],
)
async def test_only_words_and_the_end_matter(events: Sequence[Mapping[str, Any]], expected: tuple[str, str]) -> None:
    server = OtherServer(events=events)
    async with client_of(server) as client:
        assert await answer_of(client) == expected
    assert len(server.requests) == 1


async def test_what_a_filter_ended_says_so(tmp_path: Path) -> None:
    async with bot_on(OtherServer(events=[*words("One "), ending(finish_reason="content_filter")]), tmp_path) as rig:
        await rig.say("what?")
        await rig.finals(1)
        (answer,) = [message for message in rig.chat.messages.values() if message.final]
        assert (answer.text, answer.footer) == ("One ", "A filter where my model runs ended this.")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (others.VLLM_TOO_LONG, 400),
        (others.VLLM_TOO_LONG_NEWER, 400),
        (others.LLAMA_CPP_TOO_LONG, 400),
        (others.LLAMA_CPP_TOO_LONG, 500),
        (others.LM_STUDIO_TOO_LONG, 400),
        (others.OPENAI_TOO_LONG, 400),
    ],
)
async def test_a_conversation_that_is_too_long_is_shortened_whatever_the_words(
    tmp_path: Path, body: Mapping[str, Any], status: int
) -> None:
    server = OtherServer(refuse=others.too_long_over(3, body, status))
    async with bot_on(server, tmp_path) as rig:
        for number in range(1, 4):
            last = [name for name, message in rig.chat.messages.items() if message.final]
            await rig.say(f"Question {number}", reply_to=Reply(last[-1], is_ours=True) if last else None)
            assert (await rig.finals(number))[-1] == "One goose."
    assert any(len(sent["messages"]) > 3 for sent in server.requests)
    assert len(server.requests[-1]["messages"]) <= 3


async def test_newer_models_of_openai_are_asked_as_they_want_it_and_it_is_remembered() -> None:
    server = OtherServer(refuse=others.newer_openai)
    async with client_of(server) as client:
        assert (await answer_of(client))[0] == "One goose."
        tries = len(server.requests)
        assert (await answer_of(client))[0] == "One goose."
        assert "temperature" in (await client.health()).lacks
    assert server.requests[-1]["max_completion_tokens"] == 50
    assert not {"max_tokens", "temperature"} & server.requests[-1].keys()
    assert (tries, len(server.requests)) == (3, 4)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'{"object":"list","data":[{"id":"a"},{"id":"b","created":1}]}', ("a", "b")),
        (b'{"data":null,"object":"list"}', ()),
        (b'{"models":[{"name":"a"}]}', ("a",)),
        (b"<html>proxy</html>", None),
        (b'{"ok":true}', None),
        (b"[" * 100_000, None),
    ],
)
def test_a_list_of_models_is_read_by_its_names_alone(body: bytes, expected: tuple[str, ...] | None) -> None:
    assert models_of(body) == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("llava", "llava:latest"),
        ("LLaVA:latest", "llava:latest"),
        ("qwen3-vl", "qwen3-vl:8b"),
        ("", "llava:latest"),
        ("nomic-embed-text", "nomic-embed-text:latest"),
    ],
)
def test_a_tag_may_be_left_out_and_an_embedding_is_no_first_choice(wanted: str, expected: str) -> None:
    assert choose([entry["id"] for entry in others.OLLAMA["data"]], wanted) == expected  # type: ignore[index]


@pytest.mark.parametrize("wanted", ["gemma", "qwen"])
def test_a_model_that_is_not_there_is_refused_with_the_list(wanted: str) -> None:
    with pytest.raises(EngineRefused, match=rf"'{wanted}'.*nomic-embed-text:latest, llava:latest, qwen3-vl:8b") as caught:
        choose([entry["id"] for entry in others.OLLAMA["data"]], wanted)  # type: ignore[index]
    assert caught.value.fault is Fault.MODEL


def test_of_two_that_a_short_name_could_mean_none_is_guessed() -> None:
    with pytest.raises(EngineRefused):
        choose(["qwen3-vl:4b", "qwen3-vl:8b"], "qwen3-vl")


async def test_a_list_without_dates_is_one_and_its_conversing_model_is_taken() -> None:
    async with client_of(OtherServer(models=others.LM_STUDIO)) as client:
        assert (await client.health()).model == "qwen3-vl-4b"


@pytest.mark.parametrize(
    ("server", "model", "told"),
    [
        (OtherServer(models=others.WRONG_KEY, models_status=401), "", "my key is not accepted"),
        (OtherServer(models="<html>Sign in</html>"), "", "something else answers"),
        (OtherServer(models=others.OLLAMA), "gemma", "no model of that name"),
    ],
)
async def test_trouble_that_stays_is_logged_at_the_first_look_and_told_to_who_asks(
    tmp_path: Path, server: OtherServer, model: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    async with bot_on(server, tmp_path, model) as rig:
        await rig.say("what?")
        assert told in (await rig.finals(1))[0]
        (state,) = await rig.core.engines()
        assert state.fault is not None
    assert server.requests == []
    assert capsys.readouterr().out.count("engine_refuses") >= 1
    assert "sk-1234" not in "".join(message.text for message in rig.chat.messages.values())


async def test_a_used_up_quota_is_asked_once_and_said(tmp_path: Path) -> None:
    server = OtherServer(refuse=lambda sent: (429, others.QUOTA))
    async with bot_on(server, tmp_path) as rig:
        await rig.say("what?")
        assert "account is used up" in (await rig.finals(1))[0]
    assert len(server.requests) == 1


async def test_a_rate_that_is_exceeded_is_waited_for(tmp_path: Path) -> None:
    limit = {"error": {"message": "Slow down.", "type": "rate_limit_error", "code": "rate_limit_exceeded"}}
    server = OtherServer(headers={"Retry-After": "0.2"})
    server.refuse = lambda sent: (429, limit) if len(server.requests) == 1 else None
    async with bot_on(server, tmp_path) as rig:
        await rig.say("what?")
        assert await rig.finals(1) == ["One goose."]
    assert len(server.requests) == 2


async def test_the_model_is_named_in_the_log_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_pool, "READY_POLL", 0.01)
    server = OtherServer(models=others.OLLAMA)
    stream = io.StringIO()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(stream))
    try:
        async with bot_on(server, tmp_path, "llava") as rig:
            await rig.until(lambda: server.looks > 3)
    finally:
        structlog.reset_defaults()
    assert stream.getvalue().count("engine_ready") == 1
    assert "llava:latest" in stream.getvalue()


@pytest.mark.parametrize(
    ("given", "expected"), [(None, 0), ("", 0), ("7", 7), ("1.5", 1.5), ("-3", 0), ("nan", 0), ("soon", 0), ("1e9", 600)]
)
def test_a_rest_is_read_in_every_form(given: str | None, expected: float) -> None:
    assert seconds(given) == expected


def test_a_rest_until_a_date() -> None:
    in_a_minute = format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    assert 0 < seconds(in_a_minute) <= 60
    assert seconds(format_datetime(datetime.now(UTC) - timedelta(minutes=1), usegmt=True)) == 0


def test_looks_that_fail_come_ever_less_often() -> None:
    pooled = engine_pool.PooledEngine(ScriptedEngine(lambda _: ()))
    pauses = []
    for _ in range(30):
        pooled.check_failed(EngineRefused("no", fault=Fault.KEY))
        pauses.append(pooled.pause)
    assert pauses == sorted(pauses)
    assert (pauses[0], pauses[-1]) == (engine_pool.AWAY_POLL, engine_pool.FAULTY_LONGEST)


@pytest.mark.parametrize("end", ["length", "max_tokens", "model_length"])
def test_an_answer_that_was_cut_is_known_by_any_name_of_it(end: str) -> None:
    chunk = chunk_of(json.dumps({"choices": [{"delta": {"content": "A goo"}, "finish_reason": end}]}).encode())
    assert isinstance(chunk, Chunk)
    assert chunk.choices[0].finish_reason == "length"
