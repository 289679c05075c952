"""The page of how an answer came about: for who asked, and for whoever has the address from a chat; for nobody else."""

from __future__ import annotations

from pathlib import Path

from bot.insight.how_page import content_security_policy
from tests.adapters.web.browserless import Visitor
from tests.adapters.web.test_conversations import asked_and_answered, messages
from tests.adapters.web.whole import drawing, served
from tests.bot.insight.explained import explained
from tests.bot.rig import ScriptedEngine, echo


async def test_the_page_is_for_who_asked_and_for_who_has_the_address(tmp_path: Path) -> None:
    engine = ScriptedEngine(echo, explained=explained())
    engine.gate.set()
    async with served(tmp_path, engine) as url, Visitor(url) as asker, Visitor(url) as other:
        question = await asked_and_answered(asker, "A cat?", pictures=(drawing(),))
        number = (await messages(asker, question["conversation"]))[-1]["number"]
        told = await asker.get(f"/api/explanations/{number}")
        assert told["how"] == f"/how/{number}"
        async with asker.http.get(f"{url}/how/{number}", headers={"Accept-Language": "zh-CN"}) as shown:
            assert shown.status == 200
            assert shown.headers["Content-Security-Policy"] == content_security_policy()
            assert '<html lang="zh-CN">' in await shown.text()
        for address in (f"/how/{number}", "/how/999999", "/how/0123456789abcdef"):
            async with other.http.get(f"{url}{address}") as refused:
                assert refused.status == 400
        async with asker.http.get(f"{url}/how/{'x' * 17}") as unknown:
            assert unknown.status == 404
        engine.explained = None
        question = await asked_and_answered(asker, "A dog?", pictures=(drawing(),))
        number = (await messages(asker, question["conversation"]))[-1]["number"]
        async with asker.http.get(f"{url}/how/{number}") as silent:
            assert (await silent.json())["key"] == "explanation-none"
