"""A demonstration in a channel of Discord: samples with their questions, pictures answered unasked, votes, the export."""

from __future__ import annotations

import discord

from tests.adapters.discord.whole import GOOSE, Whole, labels, pictures_in


def shown(whole: Whole, words: str) -> list[discord.Message]:
    return [message for message in whole.server.said() if words in message.content]


async def test_a_demo_shows_samples_answers_pictures_and_counts_votes(whole: Whole) -> None:
    server, keeper = whole.server, whole.server.keeper()
    await whole.told(await keeper.slash(server.channel, "demo", action="start"))
    await whole.until(lambda: sum(len(message.attachments) for message in server.said()) == 3)
    sample = next(message for message in server.said() if message.attachments)
    assert len(labels(sample)) == 2
    await server.ann.click(sample, label=str(labels(sample)[0]))
    await whole.ends(1)
    assert len(pictures_in(whole.engine.requests[0])) == 1
    await server.bob.send(server.channel, "look, a goose", attachments=[("goose.png", GOOSE)])
    await whole.ends(2)
    assert len(pictures_in(whole.engine.requests[1])) == 1
    await server.ann.click(server.said()[-1], label="👍")
    await whole.until(lambda: "👍 · 1" in labels(server.said()[-1]))
    assert len(whole.engine.requests) == 2


async def test_the_export_is_uploaded_for_the_presenter_alone(whole: Whole) -> None:
    server, keeper = whole.server, whole.server.keeper()
    await whole.told(await keeper.slash(server.channel, "demo", action="start"))
    await whole.until(lambda: sum(len(message.attachments) for message in server.said()) == 3)
    exported = await keeper.slash(server.channel, "demo", action="export")
    await whole.until(lambda: exported.response is not None and bool(exported.response.attachments))
    assert exported.response is not None
    assert exported.ephemeral
    page, *_ = [await file.read() for file in exported.response.attachments]
    assert page.startswith(b"<!doctype html>")


async def test_where_it_may_attach_nothing_a_demo_says_so_and_goes_on(whole: Whole) -> None:
    server, me = whole.server, whole.server.guild.me
    assert me is not None
    pond = server.guild.create_text_channel("pond", overwrites={me: discord.PermissionOverwrite(attach_files=False)})
    await whole.told(await server.keeper().slash(pond, "demo", action="start"))
    await whole.until(lambda: sum("I may not attach files" in message.content for message in server.said(pond)) == 3)
    assert [message.attachments for message in server.said(pond)] == [[]] * len(server.said(pond))
    sample = next(message for message in server.said(pond) if "I may not attach files" in message.content)
    await server.ann.click(sample, label=str(labels(sample)[0]))
    await whole.until(lambda: any("Again" in labels(message) for message in server.said(pond)))
    assert len(pictures_in(whole.engine.requests[0])) == 1
