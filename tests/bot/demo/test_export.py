"""A demo on disk: nothing that was hidden, nothing that runs, and a way to it that always ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from tests.bot.demo.room import PRESENTER, answered, show, start, texts
from tests.bot.rig import Rig
from tests.bot.samples import BEN

HOSTILE = "<script>alert(1)</script> \"quoted\" & 'more'"


async def test_the_summary_counts_and_the_export_escapes_and_leaves_out_what_is_hidden(rig: Rig) -> None:
    rig.engine.reply = lambda _: (HOSTILE,)
    await start(rig, prompt="Hostile?")
    await show(rig, "white")
    await show(rig, "black", replace(BEN, name=HOSTILE))
    await rig.until(lambda: sum(HOSTILE in text for text in texts(rig)) == 2)
    liked = answered(rig, HOSTILE)
    assert liked is not None
    assert liked.answer_id is not None
    await rig.press("vote", author=BEN, answer_id=liked.answer_id)
    demo = await rig.core.walls.find(next(text for text in texts(rig) if "/wall/" in text).partition("/wall/")[2].split()[0])
    assert demo is not None
    wall = await rig.core.walls.read(demo)
    assert await rig.core.walls.hide(demo, wall.entries[0].entry.shown.question, hidden=True)
    assert not await rig.core.walls.hide(demo, 999_999, hidden=True)
    await rig.press("demo", author=PRESENTER, action="stop")
    await rig.until(lambda: any("2 pictures, 2 questions, 2 answers." in text for text in texts(rig)))
    assert any("Most liked, by 1 person" in text and "Fastest, in" in text for text in texts(rig))
    await rig.press("demo", author=PRESENTER, action="export")
    await rig.until(lambda: any(len(message.files) == 2 for message in rig.chat.messages.values()))
    page, lines = next(message.files for message in rig.chat.messages.values() if len(message.files) == 2)
    html = page.read_text("utf-8")
    assert "<script" not in html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert html.count("data:image/png;base64,") == 1
    assert "default-src 'none'" in html
    records = [json.loads(line) for line in lines.read_text("utf-8").splitlines()]
    assert [(record["name"], record["answers"][0]["text"], record["question"]) for record in records] == [(HOSTILE, HOSTILE, "Hostile?")]


async def test_an_export_that_no_message_takes_is_downloaded(rig: Rig) -> None:
    rig.chat.limits = replace(rig.chat.limits, file_bytes=1_000)
    await start(rig)
    await show(rig, "white")
    await rig.until(lambda: answered(rig, "What is in this picture?") is not None)
    for page, told in (("http://127.0.0.1:8484", "/export/"), ("", "the web page is off")):
        rig.core.demos.page = page
        await rig.press("demo", author=PRESENTER, action="export")
        await rig.until(lambda told=told: any(told in text and ".jsonl" in text for text in texts(rig)))  # type: ignore[misc]  # bound now
    assert not any(len(message.files) == 2 for message in rig.chat.messages.values())


async def test_a_demo_ends_with_its_summary_though_the_disk_takes_no_export(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "exports").write_text("no folder can be made here")
    await start(rig)
    await rig.press("demo", author=PRESENTER, action="stop")
    await rig.until(lambda: any("That was the demo" in text for text in texts(rig)))
    assert any("can't write the demo's files" in text for text in texts(rig))
