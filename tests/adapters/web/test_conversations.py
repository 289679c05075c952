"""A person's conversations over HTTP, with a whole bot behind them: listed, opened, renamed, edited, taken along, deleted."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import pytest

from engine.api import ChatRequest
from tests.adapters.web.browserless import Visitor
from tests.adapters.web.whole import config, drawing, served
from tests.bot.rig import ScriptedEngine, asked

HOSTILE = "<script>alert(1)</script> and `<b>` in code"


@pytest.fixture
def engine() -> ScriptedEngine:
    engine = ScriptedEngine(lambda request: ("You asked: ", asked(request)))
    engine.gate.set()
    return engine


@pytest.fixture
async def url(tmp_path: Path, engine: ScriptedEngine) -> AsyncIterator[str]:
    async with served(tmp_path, engine) as url:
        yield url


@pytest.fixture
async def visitor(url: str) -> AsyncIterator[Visitor]:
    async with Visitor(url) as visitor:
        yield visitor


async def listed(visitor: Visitor, search: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await visitor.get(f"/api/conversations?search={search}"))["conversations"]
    return found


async def messages(visitor: Visitor, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await visitor.get(f"/api/conversations/{key}"))["messages"]
    return found


async def asked_and_answered(visitor: Visitor, text: str, **options: Any) -> dict[str, Any]:
    """The question as it was stored, when its answer is there."""
    async with visitor.events() as events, asyncio.timeout(60):
        question: dict[str, Any] = (await (await visitor.ask(text, **options)).json())["messages"][0]
        async for event in events:
            if event["event"] == "message" and event["data"].get("parent") == question["id"] and event["data"]["final"]:
                break
    return question


async def test_conversations_are_listed_searched_and_opened(visitor: Visitor) -> None:
    geese = await asked_and_answered(visitor, "How many geese?")
    await asked_and_answered(visitor, "A cat?")
    assert [each["title"] for each in await listed(visitor)] == ["A cat?", "How many geese?"]
    assert [each["key"] for each in await listed(visitor, "geese")] == [geese["conversation"]]
    assert [m["text"] for m in await messages(visitor, geese["conversation"])] == ["How many geese?", "You asked: How many geese?"]


async def test_one_is_renamed_and_deleted_for_all_pages(visitor: Visitor) -> None:
    question = await asked_and_answered(visitor, "How many geese?", pictures=(drawing(),))
    address = f"{visitor.url}/api/conversations/{question['conversation']}"
    async with visitor.events() as events:
        async with visitor.http.patch(address, json={"title": "Birds"}) as response:
            assert response.status == 204
        async with asyncio.timeout(60):
            while (await anext(events))["event"] != "reload":
                continue
    assert [each["title"] for each in await listed(visitor)] == ["Birds"]
    async with visitor.http.delete(address) as response:
        assert response.status == 204
    assert await listed(visitor) == []
    async with visitor.http.get(visitor.url + question["pictures"][0]) as response:
        assert response.status == 404


async def test_somebody_else_s_is_as_good_as_not_there(visitor: Visitor, url: str) -> None:
    question = await asked_and_answered(visitor, "How many geese?")
    async with Visitor(url) as stranger:
        address = f"{url}/api/conversations/{question['conversation']}"
        assert await messages(stranger, question["conversation"]) == []
        async with stranger.http.patch(address, json={"title": "Mine"}) as renamed, stranger.http.get(f"{address}/export") as exported:
            assert (renamed.status, exported.status) == (404, 404)
        async with stranger.http.delete(address):
            pass
    assert [each["title"] for each in await listed(visitor)] == ["How many geese?"]


async def test_a_first_question_is_edited_as_a_branch_of_its_conversation(visitor: Visitor, engine: ScriptedEngine) -> None:
    first = await asked_and_answered(visitor, "How many geese?")
    other = await asked_and_answered(visitor, "How many ducks?", instead_of=first["id"])
    assert (other["conversation"], other["parent"]) == (first["conversation"], None)
    assert len(await listed(visitor)) == 1
    follow_up = await asked_and_answered(visitor, "Sure?", parent=other["id"])
    again = await asked_and_answered(visitor, "Really?", instead_of=follow_up["id"])
    assert again["parent"] == follow_up["parent"]
    assert said(engine.requests[-1]) == ["How many ducks?", "Really?"]


def said(request: ChatRequest) -> list[str]:
    """People's words; those in a row come as one message."""
    return [line for message in request.messages if message.role == "user" for line in str(message.content).split("\n")]


async def test_one_is_taken_along_with_its_pictures_and_no_tag_of_anybody_s(visitor: Visitor, caplog: pytest.LogCaptureFixture) -> None:
    question = await asked_and_answered(visitor, HOSTILE, pictures=(drawing(),))
    async with visitor.http.get(f"{visitor.url}/api/conversations/{question['conversation']}/export") as response:
        archive = ZipFile(io.BytesIO(await response.read()))
        assert "attachment" in response.headers["Content-Disposition"]
    page = archive.read("conversation.md").decode()
    records = json.loads(archive.read("conversation.json"))
    assert sorted(archive.namelist()) == ["conversation.json", "conversation.md", "pictures/1.jpg"] or archive.read("pictures/1.png")
    assert "![](pictures/1." in page
    assert "<\u2060script>alert(1)<\u2060/script> and `<\u2060b>` in code" in page
    assert [record["text"] for record in records] == [HOSTILE, f"You asked: {HOSTILE}"]
    assert not [record for record in caplog.records if record.name == "aiohttp.server"]  # a traceback for what fails on the way


async def test_a_second_device_becomes_the_same_person_with_a_code_that_works_once(tmp_path: Path, engine: ScriptedEngine) -> None:
    async with served(tmp_path, engine, config(password="honk")) as url, Device(url) as phone, Device(url) as laptop, Device(url) as third:
        assert await phone.sign_in(password="honk") == "/"
        code = await phone.code()
        assert await laptop.sign_in(password="wrong", code=code) == "/?trouble=wrong-password"
        assert await laptop.sign_in(password="honk", code=code.lower(), to="/c/0123456789abcdef") == "/c/0123456789abcdef"
        assert await laptop.person() == await phone.person()
        assert await third.sign_in(password="honk", code=code) == "/?trouble=wrong-code"
        assert await third.sign_in(password="honk", to="https://example.org/") == "/"
        assert await third.person() != await phone.person()


async def test_who_signs_out_is_out_and_the_same_person_when_they_sign_in_again(tmp_path: Path, engine: ScriptedEngine) -> None:
    async with served(tmp_path, engine, config(password="honk")) as url, Device(url) as phone:
        await phone.sign_in(password="honk")
        person = await phone.person()
        async with phone.http.post(f"{url}/logout", allow_redirects=False) as response:
            assert response.status == 303
        async with phone.http.get(f"{url}/api/session") as response:
            assert response.status == 401
        await phone.sign_in(password="honk")
        assert await phone.person() == person


class Device(Visitor):
    """A browser that signs in by hand."""

    async def __aenter__(self) -> Device:
        await self._stack.enter_async_context(self.http)
        return self

    async def sign_in(self, **fields: str) -> str:
        """Where it is sent."""
        async with self.http.post(f"{self.url}/login", data=fields, allow_redirects=False) as response:
            return response.headers["Location"]

    async def code(self) -> str:
        async with self.http.post(f"{self.url}/api/devices") as response:
            code: str = (await response.json())["code"]
            return code

    async def person(self) -> str:
        """The token in the cookie, which is who they are."""
        (cookie,) = (cookie for cookie in self.jar if cookie.key == "gander")
        return cookie.value.partition(".")[0]
