"""What people do in channels arrives as what they mean: every pain that users of other bots know is a test by its name."""

from __future__ import annotations

from collections.abc import AsyncIterator

import discord
import pytest

from bot.errors import Refusal
from bot.message import Address
from bot.platform import Outgoing
from tests.adapters.conformance import PNG, Listener, collect
from tests.adapters.discord.rig import Server, client_of, on_server

PHOTO = (("goose.png", PNG),)


@pytest.fixture
async def server(bot: Listener) -> AsyncIterator[Server]:
    async with on_server(client_of(bot)) as server:
        yield server


@pytest.fixture
async def blind(bot: Listener) -> AsyncIterator[Server]:
    """A server on which the bot is not given the content of messages."""
    async with on_server(client_of(bot, sees_content=False)) as server:
        yield server


async def test_a_mention_with_a_picture(server: Server, bot: Listener) -> None:
    await server.ann.send(server.channel, f"{server.mention} what is this?", attachments=PHOTO)
    heard = await bot.hears()
    assert (heard.incoming.address, heard.incoming.text, heard.pictures) == (Address.MENTION, "what is this?", (PNG,))
    assert heard.incoming.place.key == server.place.key
    assert heard.incoming.place.server_key == f"discord:{server.guild.id}"


async def test_pain_1_the_picture_in_the_replied_to_message_is_seen(server: Server, bot: Listener) -> None:
    photo = await server.bob.send(server.channel, "my goose", attachments=PHOTO)
    await server.ann.send(server.channel, f"{server.mention} what is this?", reply_to=photo)
    incoming = (await bot.hears(2)).incoming
    assert incoming.reply_to is not None
    assert incoming.reply_to.author is not None
    assert (incoming.reply_to.author.name, incoming.reply_to.is_ours, incoming.attachments) == ("bob", False, ())
    assert [await collect(file.read()) for file in incoming.reply_to.attachments] == [PNG]


async def test_pain_2_a_picture_sent_as_a_file_of_any_name_is_handed_over(server: Server, bot: Listener) -> None:
    await server.ann.send(server.channel, server.mention, attachments=[("scan.bin", PNG)])
    assert (await bot.hears()).pictures == (PNG,)


async def test_pain_3_the_words_around_a_mention_are_kept(server: Server, bot: Listener) -> None:
    await server.ann.send(server.channel, f"how many geese, {server.mention}, are here?", attachments=PHOTO)
    assert (await bot.hears()).incoming.text == "how many geese,  , are here?"


async def test_pain_4_an_addressed_picture_without_words_is_taken(server: Server, bot: Listener) -> None:
    await server.ann.send(server.channel, server.mention, attachments=PHOTO)
    heard = await bot.hears()
    assert (heard.incoming.text, heard.pictures, heard.incoming.address) == ("", (PNG,), Address.MENTION)


async def test_pain_5_a_picture_for_others_is_only_overheard_and_not_fetched(server: Server, bot: Listener) -> None:
    await server.ann.send(server.channel, "look, a goose", attachments=PHOTO)
    assert (await bot.hears()).incoming.address is Address.OVERHEARD
    assert server.cdn.fetched == []


async def test_pain_6_several_pictures_are_one_question(server: Server, bot: Listener) -> None:
    await server.ann.send(server.channel, f"{server.mention} compare", attachments=[*PHOTO, ("duck.png", PNG + b"\0")])
    assert (await bot.hears()).pictures == (PNG, PNG + b"\0")
    assert len(bot.heard) == 1


async def test_pain_13_a_forwarded_picture_is_seen(server: Server, bot: Listener) -> None:
    photo = await server.bob.send(server.channel, "my goose", attachments=PHOTO)
    private = server.ann.user.dm_channel
    await server.ann.forward(photo, private)
    heard = await bot.hears(2)
    assert (heard.incoming.address, heard.pictures, heard.incoming.text) == (Address.PRIVATE, (PNG,), "my goose")


async def test_pain_14_in_private_no_mention_is_needed(server: Server, bot: Listener) -> None:
    await server.ann.send_dm("what can you do?")
    incoming = (await bot.hears()).incoming
    assert (incoming.address, incoming.place.private, incoming.place.server) == (Address.PRIVATE, True, None)


async def test_a_reply_to_the_bot_needs_no_mention(server: Server, bot: Listener) -> None:
    await server.client.platform.send(server.place, Outgoing("A goose."), reply_to=None, nonce="1")
    await server.ann.send(server.channel, "how old?", reply_to=server.said()[-1])
    incoming = (await bot.hears()).incoming
    assert incoming.address is Address.REPLY
    assert incoming.reply_to is not None
    assert incoming.reply_to.is_ours


async def test_a_spoiler_is_known_as_one(server: Server, bot: Listener) -> None:
    await server.ann.send(server.channel, server.mention, attachments=[("SPOILER_goose.png", PNG)])
    assert [file.spoiler for file in (await bot.hears()).incoming.attachments] == [True]


async def test_pain_names_of_others_do_not_reach_the_model(server: Server, bot: Listener) -> None:
    await server.ann.send(server.channel, f"{server.mention} who is {server.bob.mention} in <#{server.channel.id}>? <:goose:12>")
    assert (await bot.hears()).incoming.text == "who is @user in #channel? :goose:"


async def test_other_bots_are_told_apart(server: Server, bot: Listener) -> None:
    robot = server.guild.add_member(server.env.create_user("robot", bot=True))
    await robot.send(server.channel, f"{server.mention} hello")
    assert (await bot.hears()).incoming.author.is_bot


async def test_who_manages_the_channel_is_known(server: Server, bot: Listener) -> None:
    role = server.guild.create_role("keepers", permissions=discord.Permissions(manage_channels=True, send_messages=True, view_channel=True))
    keeper = server.guild.add_member(server.env.create_user("keeper"), roles=[role])
    await keeper.send(server.channel, f"{server.mention} hello")
    await server.ann.send(server.channel, f"{server.mention} hello")
    await bot.hears(2)
    assert [heard.incoming.author.manages for heard in bot.heard] == [True, False]
    assert str(role.id) in bot.heard[0].incoming.author.roles


async def test_an_edit_is_handed_over_as_one(server: Server, bot: Listener) -> None:
    message = await server.ann.send(server.channel, f"{server.mention} how many gese?")
    await server.ann.edit(message, f"{server.mention} how many geese?")
    incoming = (await bot.hears(2)).incoming
    assert (incoming.edited, incoming.text, incoming.id) == (True, "how many geese?", str(message.id))


async def test_without_the_content_intent_a_mention_is_read_whole(blind: Server, bot: Listener) -> None:
    await blind.ann.send(blind.channel, f"{blind.mention} what is this?", attachments=PHOTO)
    heard = await bot.hears()
    assert (heard.incoming.text, heard.pictures) == ("what is this?", (PNG,))


async def test_without_the_content_intent_the_bot_says_what_it_can_t_see(blind: Server, bot: Listener) -> None:
    photo = await blind.bob.send(blind.channel, "my goose", attachments=PHOTO)
    await blind.ann.send(blind.channel, f"{blind.mention} what is this?", reply_to=photo)
    reply = (await bot.hears(2)).incoming.reply_to
    assert reply is not None
    with pytest.raises(Refusal) as refused:
        await collect(reply.attachments[0].read())
    assert refused.value.key == "discord.content_unseen"
