"""Who may use the bot on a server, and how much: by the operator's configuration, and by its managers' `/setup`."""

from __future__ import annotations

from pathlib import Path

import discord
import pytest

from adapters.discord.message_content import content_of, named
from bot.config.schema import AccessOptions, LimitOptions, RoleLimits
from bot.platform import Named, Outgoing
from tests.adapters.discord.rig import TEXTS, Server
from tests.adapters.discord.whole import Whole, whole_bot
from tests.bot.rig import UNHURRIED


def keys(*ids: int) -> frozenset[str]:
    return frozenset(f"discord:{each}" for each in ids)


async def test_setup_opens_the_bot_to_a_role_and_takes_it_back(whole: Whole) -> None:
    server, keeper = whole.server, whole.server.keeper()
    crew = server.guild.create_role("crew")
    sailor = server.guild.add_member(server.env.create_user("sailor"), roles=[crew])
    shown = await whole.told(await keeper.slash(server.channel, "setup", rule="allow", role=crew))
    assert f"Open to the roles: <@&{crew.id}>" in shown
    await whole.asks("hello")
    await whole.says("I am not open to everyone here")
    await whole.asks("ahoy", by=sailor)
    assert await whole.ends(1) == ["You asked: ahoy"]
    await whole.told(await keeper.slash(server.channel, "setup", rule="allow", role=crew, clear=True))
    await whole.asks("hello again")
    assert (await whole.ends(2))[-1] == "You asked: hello again"


async def test_setup_names_roles_people_and_channels(whole: Whole) -> None:
    server, keeper = whole.server, whole.server.keeper()
    crew = server.guild.create_role("crew")
    await whole.told(await keeper.slash(server.channel, "setup", rule="beams", amount=3, role=crew))
    await whole.told(await keeper.slash(server.channel, "setup", rule="deny", channel=server.channel))
    told = await whole.told(await keeper.slash(server.channel, "setup", rule="deny", person=server.bob))
    for mention in (f"<@&{crew.id}>", f"<#{server.channel.id}>", f"<@{server.bob.id}>"):
        assert mention in told
    assert "discord:" not in told


def test_a_name_is_shown_for_what_is_named_alone() -> None:
    names = (Named("channel", "discord:1/2"), Named("role", "discord:12"), Named("person", "telegram:3"))
    text = "discord:1/2, discord:12, discord:1, discord:123, telegram:3"
    assert named(text, names[:2]) == "<#2>, <@&12>, discord:1, discord:123, telegram:3"
    assert named(text, names) == named(text, names[:2])
    assert content_of(Outgoing(text, named=names), TEXTS).sent()["allowed_mentions"].to_dict() == {"parse": []}


async def test_setup_keeps_the_bot_to_a_channel_and_its_threads(whole: Whole) -> None:
    server, keeper = whole.server, whole.server.keeper()
    ponds = server.guild.create_text_channel("ponds")
    await whole.told(await keeper.slash(server.channel, "setup", rule="allow", channel=ponds))
    await whole.asks("hello")
    await whole.says("I may not talk in this channel")
    await server.ann.send(ponds, f"{server.mention} hello")
    await whole.until(lambda: [message.content for message in server.said(ponds)] == ["You asked: hello"])
    assert whole.engine.requests


async def test_a_role_gets_the_beams_that_setup_gives_it(whole: Whole) -> None:
    server, keeper = whole.server, whole.server.keeper()
    crew = server.guild.create_role("crew")
    sailor = server.guild.add_member(server.env.create_user("sailor"), roles=[crew])
    await whole.told(await keeper.slash(server.channel, "setup", rule="beams", amount=1))
    await whole.told(await keeper.slash(server.channel, "setup", rule="beams", amount=4, role=crew))
    refused = await whole.told(await server.ann.slash(server.channel, "beams", value=4, scope="me"))
    assert refused == "beams goes up to 1 here."
    assert "**4**" in await whole.told(await sailor.slash(server.channel, "beams", value=4, scope="me"))


async def test_another_bot_is_answered_once_it_is_named(whole: Whole) -> None:
    server, keeper = whole.server, whole.server.keeper()
    robot = server.guild.add_member(server.env.create_user("robot", bot=True))
    await whole.asks("beep", by=robot)
    await whole.told(await keeper.slash(server.channel, "setup", rule="bots", person=robot))
    await whole.asks("boop", by=robot)
    assert await whole.ends(1) == ["You asked: boop"]


async def test_typed_it_takes_mentions(whole: Whole) -> None:
    server, keeper = whole.server, whole.server.keeper()
    await whole.asks(f"/setup deny person:{server.ann.mention}", by=keeper)
    await whole.says(f"Not for the people: <@{server.ann.id}>")
    await whole.asks("hello")
    await whole.says("I may not answer you here")
    assert whole.engine.requests == []


async def test_setup_is_shown_with_the_panel_and_not_to_everybody(whole: Whole) -> None:
    server = whole.server
    assert "setup" not in server.ann.available_commands(server.channel)
    shown = await server.keeper().slash(server.channel, "setup")
    assert "None besides those of my configuration." in await whole.told(shown)
    assert shown.response is not None
    assert shown.response.components


async def test_diagnose_and_setup_work_where_the_operator_let_nobody_in(tmp_path: Path) -> None:
    async with whole_bot(tmp_path, access=lambda _: AccessOptions(allow_servers=keys(1))) as whole:
        server, keeper = whole.server, whole.server.keeper()
        told = await whole.told(await keeper.slash(server.channel, "diagnose"))
        assert told.startswith("Sorry, I may not talk in this channel.")
        assert f"discord:{server.guild.id}" in told
        assert "Rules here" in await whole.told(await keeper.slash(server.channel, "setup"))
        assert await whole.told(await server.ann.slash(server.channel, "status")) == "Sorry, I may not talk in this channel."


@pytest.mark.parametrize("verdict", ["allow", "deny"])
@pytest.mark.parametrize(
    ("name", "whose"),
    [("servers", "guild"), ("channels", "channel"), ("people", "ann"), ("roles", "guild")],  # everyone's role has the server's id
)
async def test_the_operator_s_lists_let_in_and_keep_out(tmp_path: Path, verdict: str, name: str, whose: str) -> None:
    def lists(server: Server) -> AccessOptions:
        return AccessOptions(everyone=verdict == "deny", **{f"{verdict}_{name}": keys(getattr(server, whose).id)})

    async with whole_bot(tmp_path, access=lists) as whole:
        await whole.asks("hello")
        await whole.says("You asked: hello" if verdict == "allow" else "Sorry, I may not answer you here.")
        assert len(whole.server.said()) == 1


async def test_the_operator_s_roles_have_their_own_pace_and_caps(tmp_path: Path) -> None:
    limits = LimitOptions(burst=1, cooldown_seconds=1_000, answer_hours=0, roles={"discord:1": RoleLimits(burst=5)})
    async with whole_bot(tmp_path, limits=limits) as whole:
        await whole.asks("one")
        await whole.ends(1)
        await whole.asks("two")
        await whole.says("A little slower, please")
        assert len(whole.engine.requests) == 1


async def test_only_where_adults_alone_may_look(tmp_path: Path) -> None:
    async with whole_bot(tmp_path, access=lambda _: AccessOptions(everyone=True, age_restricted_only=True)) as whole:
        server = whole.server
        await whole.asks("hello")
        await whole.says("I answer only in age-restricted channels")
        dark = server.guild.create_text_channel("dark")
        seen = server.client.get_channel(dark.id)
        assert isinstance(seen, discord.TextChannel)
        seen.nsfw = True  # simcord has no such channels
        await server.ann.send(dark, f"{server.mention} hello")
        await whole.until(lambda: [message.content for message in server.said(dark)] == ["You asked: hello"])
        assert len(server.said()) == 1


async def test_moderators_act_on_what_others_asked(whole: Whole) -> None:
    """By the platform's right to manage messages, or by a role that the server's managers name."""
    server, keeper = whole.server, whole.server.keeper()
    stewards = server.guild.create_role("stewards")
    rights = discord.Permissions(manage_messages=True, view_channel=True)
    moderator = server.guild.add_member(server.env.create_user("mod"), roles=[server.guild.create_role("mods", permissions=rights)])
    steward = server.guild.add_member(server.env.create_user("steward"), roles=[stewards])
    await whole.asks("hello")
    await whole.ends(1)
    await moderator.click(server.said()[-1], label="Again")
    await whole.ends(2)
    denied = await steward.slash(server.channel, "forget", person=server.ann)
    assert "Only moderators" in await whole.told(denied)
    await whole.told(await keeper.slash(server.channel, "setup", rule="moderators", role=stewards))
    shown = await steward.slash(server.channel, "forget", person=server.ann)
    assert "3 messages" in await whole.told(shown)
    assert shown.response is not None
    done = await steward.click(shown.response, label="Yes, delete it")
    await whole.until(lambda: any("Deleted: 3 messages" in each.content for each in done.followups))


async def test_a_cap_of_the_configuration_holds_for_every_way_to_ask(tmp_path: Path) -> None:
    limits = UNHURRIED.model_copy(update={"caps": {"beams": 2, "max_new_tokens": 50}})
    async with whole_bot(tmp_path, limits=limits) as whole:
        await whole.asks("/ask what? beams:3")  # a range of Discord's own ends where the cap does, and words have none
        await whole.says("beams goes up to 2 here.")
        await whole.server.ann.slash(whole.server.channel, "ask", prompt="what?")
        await whole.ends(1)
        assert whole.engine.requests[0].max_tokens == 50
