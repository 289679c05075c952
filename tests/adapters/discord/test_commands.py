"""Commands as Discord shows them: in every language, with ranges, choices and suggestions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import discord
from simcord.actors import MemberActor

from bot.command_registry import COMMANDS
from bot.config.schema import LimitOptions, RoleLimits
from bot.texts import CHINESE, TAIWANESE
from tests.adapters.discord.rig import TEXTS
from tests.adapters.discord.whole import Whole, whole_bot


def registered(whole: Whole) -> dict[str, Any]:
    server = whole.server
    found = server.env.backend.visible_commands(user_id=server.keeper().id, channel_id=server.channel.id)
    return {command["name"]: command for command in found}


async def test_every_command_is_native_in_every_language(whole: Whole) -> None:
    commands = registered(whole)
    for name, command in COMMANDS.items():
        for language in (CHINESE, TAIWANESE):
            assert commands[name]["name_localizations"][language] == command.names(TEXTS)[language]
            assert commands[name]["description_localizations"][language] == command.descriptions(TEXTS)[language]
        assert commands[name]["integration_types"] == [0, 1]
        shown = [option["name"] for option in commands[name].get("options", [])]
        assert shown == [option.name for option in command.options if not option.hidden]


async def test_setup_offers_every_channel_in_which_something_can_be_said(whole: Whole) -> None:
    [channel] = [option for option in registered(whole)["setup"]["options"] if option["name"] == "channel"]
    spoken = {kind.value for kind in discord.ChannelType if kind.name not in {"category", "private", "group"}}
    assert set(channel["channel_types"]) == spoken


async def offered(by: MemberActor, whole: Whole, command: str, option: str, typed: str, **given: Any) -> list[Any]:
    choices = await by.autocomplete(whole.server.channel, command, option, typed, **given)
    return [choice["value"] for choice in choices]


async def test_numbers_have_their_range_and_suggestions(whole: Whole) -> None:
    options = {option["name"]: option for option in registered(whole)["ask"]["options"]}
    assert (options["temperature"]["min_value"], options["temperature"]["max_value"]) == (0, 2)
    assert options["beams"]["type"] == 4
    assert await offered(whole.server.ann, whole, "ask", "temperature", "0.") == [0.2, 0.7]
    assert await offered(whole.server.ann, whole, "ask", "temperature", "") == [0, 0.2, 0.7, 1, 1.5]


async def test_ranges_and_suggestions_go_as_far_as_roles_may(tmp_path: Path) -> None:
    """What can be typed ends where the most generous role does; what is offered, with the asker's own."""
    limits = LimitOptions(burst=1_000, answer_hours=0, caps={"beams": 2}, roles={"discord:1": RoleLimits(caps={"beams": 4})})
    async with whole_bot(tmp_path, limits=limits) as whole:
        server = whole.server
        crew = server.guild.create_role("crew")
        sailor = server.guild.add_member(server.env.create_user("sailor"), roles=[crew])
        options = {option["name"]: option for option in registered(whole)["beams"]["options"]}
        assert (options["value"]["min_value"], options["value"]["max_value"]) == (1, 4)
        keeper = server.keeper()
        await whole.told(await keeper.slash(server.channel, "setup", rule="beams", amount=1))
        await whole.told(await keeper.slash(server.channel, "setup", rule="beams", amount=2, role=crew))
        assert await offered(server.ann, whole, "beams", "value", "") == [1]
        assert await offered(sailor, whole, "beams", "value", "") == [1, 2]
        assert "From 1 to 2." in await whole.told(await sailor.slash(server.channel, "beams"))


async def test_words_are_offered_while_they_are_typed(whole: Whole) -> None:
    ann = whole.server.ann
    assert "beams" in await offered(ann, whole, "help", "topic", "bea")
    assert "top_p" in await offered(ann, whole, "help", "topic", "top")
    assert await offered(ann, whole, "settings", "value", "", name="memory") == ["shared", "personal", "replies"]
    assert await offered(ann, whole, "settings", "value", "0", name="top_p") == ["0.5", "0.9"]
    assert await offered(ann, whole, "settings", "value", "") == []
    language = registered(whole)["language"]["options"][0]
    assert [choice["value"] for choice in language["choices"]] == ["en", "zh-CN", "zh-TW"]
    keeper = whole.server.keeper()
    assert await offered(keeper, whole, "setup", "amount", "3", rule="cooldown") == [30.0, 300.0]
    assert await offered(keeper, whole, "setup", "amount", "", rule="beams") == [1.0, 3.0, 5.0]
    assert await offered(keeper, whole, "setup", "amount", "", rule="allow") == []
