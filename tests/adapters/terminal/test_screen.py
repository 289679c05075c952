"""The screen of a terminal: an answer grows in place and keeps its lines."""

from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from adapters.terminal.screen import PLACE, Screen
from bot.platform import Outgoing


async def test_lines_stay_lines_on_a_terminal() -> None:
    paper = io.StringIO()
    screen = Screen(Console(file=paper, width=40, force_terminal=True, color_system=None))
    await screen.send(PLACE, Outgoing("`/ask` asks\n`/stop` stops"), reply_to=None, nonce="1")
    assert [line.strip() for line in paper.getvalue().splitlines()] == ["/ask asks", "/stop stops"]


async def test_a_marked_picture_is_printed_as_its_file() -> None:
    """Of `/find`: below the line that names what was found."""
    paper = io.StringIO()
    screen = Screen(Console(file=paper, width=80, force_terminal=True, color_system=None))
    await screen.send(PLACE, Outgoing("In the picture: 1 a goose", files=(Path("exports/places-1.jpg"),)), reply_to=None, nonce="1")
    assert [line.strip() for line in paper.getvalue().splitlines()] == ["In the picture: 1 a goose", "exports/places-1.jpg"]
