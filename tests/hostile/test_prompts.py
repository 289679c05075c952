"""Prompts of every Unicode block, of control characters and of templates' markers: no part of a template, and answered."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import aiohttp

from bot.sanitize import sanitize_text
from bot.store.database import sqlite_url
from engine.models.tokenizer import JsonTokenizer
from engine.prompts.renderer import Renderer
from engine.prompts.turn import Turn
from tests.bot.rig import ScriptedEngine, asked, echo, running
from tests.engine.prompts.test_renderer import HOSTILE
from tests.engine.serving import serving
from tests.engine.tiny import CHATML

ROW = 256  # code points: no block of Unicode is smaller than a sixteenth of it, and none crosses 0xD800 to 0xDFFF
PLACES = (0, 0x0B, 0x2A, 0x5F, 0x83, 0xA6, 0xC9, 0xFE, 0xFF)
SURROGATES = range(0xD8, 0xE0)
LENGTH = 1_500  # characters of one prompt


def prompts() -> Iterator[str]:
    rows = (row for row in range(0x110000 // ROW) if row not in SURROGATES)
    letters = "".join(chr(row * ROW + place) for row in rows for place in PLACES)
    yield from (letters[start : start + LENGTH] for start in range(0, len(letters), LENGTH))
    yield "".join(map(chr, (*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x202E, 0x2066, 0xFEFF, 0xFFFF)))
    yield "".join(HOSTILE)


def test_no_prompt_becomes_part_of_a_template(pocket_folder: Path) -> None:
    """As many special tokens as around a harmless word: the template's own."""
    tokenizer = JsonTokenizer.read(pocket_folder)
    renderer = Renderer(CHATML, tokenizer.specials, lambda picture: "")
    special = {number for token in tokenizer.specials for number in tokenizer.encode(token)}

    def specials_of(prompt: str) -> list[int]:
        rendered = "".join(map(str, renderer.render([Turn("user", (prompt,))])))
        return [number for number in tokenizer.encode(rendered) if number in special]

    assert len(specials_of("x")) > 0
    for prompt in prompts():
        assert specials_of(prompt) == specials_of("x")


async def test_the_engine_answers_every_prompt() -> None:
    async with serving() as url, aiohttp.ClientSession() as http:
        for prompt in prompts():
            asked_for = {"messages": [{"role": "user", "content": prompt}], "max_tokens": 1}
            async with http.post(f"{url}/v1/chat/completions", json=asked_for) as response:
                assert response.status == 200, await response.text()


async def test_the_bot_asks_every_prompt_as_it_is_and_answers(tmp_path: Path) -> None:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig:
        for number, prompt in enumerate(prompts(), 1):
            await rig.say(f"({number}) {prompt}")
            await rig.finals(number)
        wanted = [sanitize_text(f"({number}) {prompt}").strip() for number, prompt in enumerate(prompts(), 1)]
        await rig.until(lambda: len(engine.requests) == len(wanted))
        assert [asked(request).strip() for request in engine.requests] == wanted
