"""What servers really send is parsed leniently: the words and how the answer ended."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.engines.responses import chunk_of, models_of
from bot.message import Reply
from engine.api import Chunk
from tests.bot import other_servers as others
from tests.bot.other_servers import OtherServer, answer_of, bot_on, client_of, ending, words


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


async def test_an_answer_that_done_alone_ends_is_asked_for_once(tmp_path: Path) -> None:
    server = OtherServer(events=words("One goose."))
    async with bot_on(server, tmp_path) as rig:
        await rig.say("what?")
        assert await rig.finals(1) == ["One goose."]
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


@pytest.mark.parametrize("end", ["length", "max_tokens", "model_length"])
def test_an_answer_that_was_cut_is_known_by_any_name_of_it(end: str) -> None:
    chunk = chunk_of(json.dumps({"choices": [{"delta": {"content": "A goo"}, "finish_reason": end}]}).encode())
    assert isinstance(chunk, Chunk)
    assert chunk.choices[0].finish_reason == "length"
