"""A marked picture of `/find` as the page gets it: beside the answer, for who asked and for nobody else."""

from __future__ import annotations

import asyncio
from io import BytesIO
from pathlib import Path

from PIL import Image

from tests.adapters.web.browserless import Visitor
from tests.adapters.web.whole import served
from tests.bot.looking.test_places import PointingEngine, named
from tests.bot.rig import GOOSE, echo


async def test_what_is_found_is_shown_to_who_asked_and_to_nobody_else(tmp_path: Path) -> None:
    engine = PointingEngine(echo, boxes=(named("a goose"),))
    engine.gate.set()
    async with served(tmp_path, engine) as url, Visitor(url) as asker, Visitor(url) as other, asyncio.timeout(90):
        await asker.ask("/find the goose", (GOOSE,))
        async with asker.events() as events:
            async for event in events:
                if (shown := event["data"]).get("files"):
                    break
        [file] = shown["files"]
        assert (shown["text"], shown["aside"]) == ("In the picture: 1 a goose", True)
        async with asker.http.get(url + file["url"]) as got:
            assert got.content_type == "image/jpeg"
            with Image.open(BytesIO(await got.read())) as drawn:
                assert drawn.size == (20, 10)
        async with other.http.get(url + file["url"]) as refused:
            assert refused.status == 404
    assert engine.requests[-1].find == "the goose"
