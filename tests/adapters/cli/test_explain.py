"""`gander explain` as a person types it, on the real pocket model: one file with the answer and its words' places."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from html import unescape
from pathlib import Path

import pytest

from adapters.cli.explain import said
from adapters.errors import UsageError
from bot.answers.accumulate import Draft
from tests.adapters.cli.test_commands import here
from tests.engine.serving import serving

PICTURE = Path(__file__).parents[3] / "bot" / "samples" / "shapes.png"


@pytest.mark.sweep
async def test_explain_writes_one_file_that_shows_how_the_answer_came_about(pocket_folder: Path, tmp_path: Path) -> None:
    from engine.core.startup import EngineOptions, load_engine
    from engine.models.card_reader import read_card

    out = tmp_path / "how.html"
    load = functools.partial(load_engine, pocket_folder, EngineOptions(("cpu",), rows=2, tokens=1024), tmp_path / "seconds.json")
    async with serving(load, card=read_card(pocket_folder)) as url:
        given = (str(PICTURE), "How many circles?", "--engine-url", url, "--max-tokens", "6", "--beams", "2", "--language", "zh-CN")
        made = await asyncio.to_thread(here, "explain", *given, "--out", str(out), home=tmp_path)
    assert made.exit_code == 0, made.stderr
    assert str(out) in made.stderr
    page = out.read_text("utf-8")
    words = re.findall(r'<button type="button" data-word="\d+"[^>]*>([^<]*)</button>', page)
    assert unescape("".join(words)).replace("␣", " ").split() == made.stdout.split()
    found = re.search(r'<script type="application/json" id="maps">(.*?)</script>', page)
    assert found
    maps = json.loads(found[1])
    assert [len(seen["queries"]) for seen in maps["pictures"]] == [24]
    assert len(maps["words"]) == len(words)
    assert any(all(looked) for looked in maps["words"])
    assert '<html lang="zh-CN">' in page
    assert "<ul class='tree'>" in page
    assert not re.search(r"""(src|href)=["'](?!data:)""", page)


def test_a_file_that_can_not_be_written_is_told_before_anything_is_asked(tmp_path: Path) -> None:
    given = ("explain", str(PICTURE), "Hi", "--engine-url", "http://127.0.0.1:9", "--out", str(tmp_path / "no folder" / "how.html"))
    refused = here(*given, home=tmp_path)
    assert refused.exit_code != 0
    assert "Choose another file with --out" in refused.stderr


def test_an_answer_without_a_word_is_told_in_words() -> None:
    with pytest.raises(UsageError, match="pocket answered nothing"):
        said(Draft(), "pocket")
    assert said(Draft(text_so_far="A goose."), "pocket") == "A goose."
