"""A film at the terminal is asked about by its frames in their order, with their times."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from adapters.terminal.pictures import picture_parts, take_pictures
from tests.bot.media.test_films import film


@pytest.mark.skipif(find_spec("av") is None, reason="the extra `films` is not installed")
async def test_a_film_is_shown_by_its_frames(tmp_path: Path) -> None:
    path = tmp_path / "goose.mp4"
    path.write_bytes(film("mpeg4", "mp4"))
    parts = picture_parts(await take_pictures([path]))
    labels = ["First, at 0.5 s:", "Then, at 1.5 s:", "After that, at 2.5 s:", "Finally, at 3.5 s:"]
    assert [part.text for part in parts if part.type == "text"] == labels
    assert [part.type for part in parts] == ["text", "image_url"] * 4
