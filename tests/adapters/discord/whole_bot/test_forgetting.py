"""`/forget` on Discord: one's own, a channel's, a person's; and only by those who may."""

from __future__ import annotations

from tests.adapters.discord.whole import GOOSE, Whole


async def kept(whole: Whole) -> list[str]:
    return [message.author for message in await whole.rig.core.history(whole.server.place) if message.role == "user"]


async def test_a_moderator_forgets_a_person_or_the_channel(whole: Whole) -> None:
    server = whole.server
    keeper = server.keeper()
    for number, member in enumerate((server.ann, server.bob), start=1):
        await member.send(server.channel, f"{server.mention} what is this?", attachments=[("goose.png", GOOSE)])
        await whole.ends(number)
    refused = await server.ann.slash(server.channel, "forget", person=server.bob)
    await whole.until(lambda: refused.response is not None and "Only moderators" in refused.response.content)
    asked = await keeper.slash(server.channel, "forget", what="channel")
    assert "everything that I keep of this channel" in await whole.told(asked)
    assert await kept(whole) == ["ann", "bob"]
    of_bob = await keeper.slash(server.channel, "forget", person=server.bob)
    assert "that I keep of **bob** (1)" in await whole.told(of_bob)
    assert await kept(whole) == ["ann", "bob"]
    assert of_bob.response is not None
    done = await keeper.click(of_bob.response, label="Yes, delete it")
    await whole.until(lambda: any("Deleted: 2 messages" in each.content for each in done.followups))
    assert await kept(whole) == ["ann"]
    assert asked.response is not None
    cleared = await keeper.click(asked.response, label="Yes, delete it")
    await whole.until(lambda: any("Deleted: 2 messages, 1 pictures." in each.content for each in cleared.followups))
    assert await kept(whole) == []
