"""Whatever characters a person's own client sends, they are stored and answered, on either database."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.message import Address, Author, Invocation, Reply
from bot.sanitize import sanitize_text, shorten_to_line
from tests.bot.rig import ScriptedEngine, echo, running

HALF, NUL = "\ud83e", "\x00"


@pytest.mark.parametrize(("text", "whole"), [("🪿", "🪿"), (f"a{HALF}b", "a\ufffdb"), (f"a{NUL}b", "ab"), ("", "")])
def test_half_characters_and_nul_go(text: str, whole: str) -> None:
    assert sanitize_text(text) == whole


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("a  grey\nduck", "a grey duck"),
        ("a goose that swims", "a goose…"),
        ("湖上有一只灰色的鹅在慢慢地游", "湖上有一只灰色的鹅在…"),
        ("a " + "b" * 20, "a bbbbbbbb…"),
    ],
)
def test_what_is_quoted_is_cut_between_words_where_there_are_spaces(text: str, short: str) -> None:
    assert shorten_to_line(text, 11) == short


async def test_they_are_asked_and_kept_like_any_other(database_url: str, tmp_path: Path) -> None:
    engine = ScriptedEngine(echo)
    engine.gate.set()
    author = Author("web", "eve", f"Eve{HALF}{NUL}")
    async with running(database_url, tmp_path, engine) as rig:
        await rig.say(f"why{NUL}{HALF}?", author=author, reply_to=Reply("stranger", author))
        await rig.finals(1)
        ask = Invocation("ask", {"prompt": f"how{NUL}?"})
        await rig.say(author=author, address=Address.COMMAND, command=ask)
        await rig.finals(2)
        await rig.say(author=author, address=Address.COMMAND, command=Invocation("help", {"topic": HALF}))
        assert (await rig.finals(3))[:2] == ["You asked: why\ufffd?", "You asked: how?"]
