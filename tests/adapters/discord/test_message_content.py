"""A public answer to what nobody else can see shows who asked, what, and about which picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import discord

from adapters.discord.message_content import content_of
from bot.platform import Button, Outgoing
from tests.adapters.discord.rig import TEXTS
from tests.adapters.discord.whole import GOOSE


def test_the_picture_stands_small_beside_the_text_and_is_uploaded_once(tmp_path: Path) -> None:
    picture = tmp_path / "picture"
    picture.write_bytes(GOOSE)
    content = content_of(Outgoing("See https://goose.example and `https://code.example`", (Button.AGAIN,), 7, picture=picture), TEXTS)
    sent = content.sent()
    assert sent["embed"].thumbnail.url == f"attachment://{sent['files'][0].filename}"
    assert "suppress_embeds" not in sent  # it would hide this one, too
    assert sent["content"] == "See <https://goose.example> and `https://code.example`"
    edited = content.edited()
    assert [file.filename for file in edited["attachments"]] == ["picture.png"]
    assert sent["files"][0].description.startswith("See")
    close([*sent["files"], *edited["attachments"]])


def test_a_message_without_one_has_no_embed_and_every_file_says_what_it_is(tmp_path: Path) -> None:
    file = tmp_path / "demo.jsonl"
    file.write_text("{}")
    sent = content_of(Outgoing("The demo", files=(file,)), TEXTS).sent()
    assert sent["suppress_embeds"]
    assert [each.description for each in sent["files"]] == ["The demo"]
    assert "embed" not in sent
    close(sent["files"])


def test_files_are_described_by_what_they_show_and_covered_ones_tell_nothing(tmp_path: Path) -> None:
    file = tmp_path / "cat.png"
    file.write_bytes(GOOSE)
    messages = (
        Outgoing("Somebody", files=(file,), alt="A cat."),
        Outgoing("A secret cat", files=(file,), spoiler=True),
        Outgoing("A secret cat", whole="A secret cat, told at length", spoiler=True),
    )
    sent = [content_of(message, TEXTS).sent()["files"] for message in messages]
    assert [each.description for files in sent for each in files] == ["A cat.", "cat.png", TEXTS.render("en", "discord.whole_answer")]
    close([each for files in sent for each in files])


def close(files: Sequence[discord.File]) -> None:
    for file in files:
        file.close()
