"""Engines that are not Gander's: recognised, asked only for what they take, and honest about what they lack."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from bot.engines.client import EngineClient
from bot.engines.compatibility import OURS, choose, described, sees_nothing
from bot.engines.compatibility import OtherServer as AnotherServer
from bot.errors import EngineRefused, Fault
from engine.api import ChatRequest, ErrorDetail, ImagePart, ImageUrl, Message, PictureDetail
from tests.adapters.standin import StandIn
from tests.bot import other_servers as others
from tests.bot.other_servers import OtherServer, answer_of, client_of

REQUEST = ChatRequest(messages=(Message(role="user", content="Hi"),), temperature=0.5, num_beams=3, top_k=40, repetition_penalty=1.2)


async def said(standin: StandIn, model: str = "") -> tuple[dict[str, Any], tuple[str, ...]]:
    """What the server was sent, and what its health says that it lacks."""
    async with standin.serving() as url, aiohttp.ClientSession() as session:
        client = EngineClient(session, url, model=model)
        health = await client.health()
        assert [chunk async for chunk in client.stream(REQUEST)]
    return standin.requests[-1], health.lacks


async def test_a_strict_server_gets_nothing_that_it_would_refuse() -> None:
    sent, lacks = await said(StandIn(strict=True))
    assert (sent["temperature"], sent["model"]) == (0.5, "stand-in")
    assert not OURS & sent.keys()
    assert set(lacks) == OURS


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/version", {"top_k", "repetition_penalty"}),
        ("/get_server_info", {"top_k", "repetition_penalty"}),
        ("/props", {"top_k"}),
        ("/api/version", set()),
    ],
)
async def test_a_known_server_gets_what_it_takes(path: str, kept: set[str]) -> None:
    sent, lacks = await said(StandIn(extra={path: {"version": "1.0"}}))
    assert OURS & sent.keys() == kept
    assert "num_beams" in lacks


async def test_a_model_that_the_server_lacks_is_not_asked_for() -> None:
    with pytest.raises(EngineRefused, match=r"'pocket'.*one of: stand-in"):
        await said(StandIn(), model="pocket")


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
    ("told", "rows", "sightless", "window"),
    [
        ({"total_slots": 2, "modalities": {"vision": False}, "default_generation_settings": {"n_ctx": 256}}, 2, True, 256),  # llama.cpp
        ({"total_slots": 1, "modalities": {"vision": True}}, 1, False, None),
        ({"version": "0.12", "capabilities": ["completion", "tools"]}, 4, True, None),  # Ollama
        ({"version": "0.12", "capabilities": ["completion", "vision"]}, 4, False, None),
        ({"version": "0.32.0"}, 4, False, None),  # vLLM says nothing of its model
        ({"total_slots": "many", "modalities": None, "capabilities": "all", "default_generation_settings": []}, 4, False, None),
    ],
)
def test_a_server_says_itself_what_its_model_can(told: dict[str, object], rows: int, sightless: bool, window: int | None) -> None:
    found = described(AnotherServer("m"), told)
    assert (found.rows, found.sightless, found.context_length) == (rows, sightless, window)


@pytest.mark.parametrize(
    ("message", "blind"),
    [
        ("image input is not supported - hint: if this is unexpected, you may need to provide the mmproj", True),  # llama.cpp, status 500
        ("tiny is not a multimodal model", True),  # vLLM
        ("At most 0 image(s) may be provided in one prompt.", True),
        ("This model does not support image input.", True),
        ("The image is too large: 9000 pixels.", False),
        ("Invalid image URL.", False),
    ],
)
def test_a_refusal_says_that_the_model_sees_nothing(message: str, blind: bool) -> None:
    assert sees_nothing(ErrorDetail(message=message, type="server_error")) is blind


def test_a_detail_of_ours_becomes_openais() -> None:
    details: tuple[PictureDetail, ...] = ("low", "normal", "high")
    shown = tuple(ImagePart(image_url=ImageUrl(url="data:,", detail=detail)) for detail in details)
    asked = AnotherServer("gpt").adapt(
        ChatRequest(messages=(Message(role="user", content=shown), Message(role="assistant", content="Hm.")))
    )
    sent = asked.model_dump(exclude_none=True, include={"messages"})["messages"]
    assert [part["image_url"]["detail"] for part in sent[0]["content"]] == ["low", "auto", "high"]
    assert sent[1]["content"] == "Hm."


async def test_a_model_without_sight_is_asked_about_no_picture_twice() -> None:
    """llama.cpp's server answers 500 as to a fault of its own: the question is refused at once and not asked again for minutes."""
    refused = {"error": {"code": 500, "message": "image input is not supported", "type": "server_error"}}
    server = others.OtherServer(refuse=lambda sent: (500, refused) if "image_url" in str(sent["messages"]) else None)
    shown = ImagePart(image_url=ImageUrl(url="data:image/png;base64,AAAA"))
    question = ChatRequest(messages=(Message(role="user", content=(shown,)),))
    async with client_of(server) as client:
        await client.health()
        for _ in range(2):
            with pytest.raises(EngineRefused) as caught:
                async for _ in client.stream(question):
                    pass
            assert caught.value.fault is Fault.SIGHT
        assert len(server.requests) == 1
        assert "pictures" in (await client.health()).lacks
        assert (await answer_of(client))[0] == "One goose."
