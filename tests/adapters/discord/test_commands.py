"""Commands, menus, buttons and forms as Discord shows them, answered by a whole bot."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import discord
import pytest
from simcord.actors import MemberActor

from adapters.discord.modals import OPEN_SECONDS
from bot.commands.registry import COMMANDS
from bot.config.schema import LimitOptions, RoleLimits
from bot.texts import CHINESE, TAIWANESE, load_texts
from tests.adapters.discord.whole import GOOSE, Whole, pictures_in, whole_bot

TEXTS = load_texts()


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


async def test_ask_shows_the_answer_to_all_and_sees_the_picture(whole: Whole) -> None:
    whole.engine.gate.clear()
    result = await whole.server.ann.slash(whole.server.channel, "ask", prompt="what is this?", image=("goose.png", GOOSE))
    assert result.deferred
    whole.engine.gate.set()
    assert not result.ephemeral
    await whole.says("You asked: what is this?")
    assert len(pictures_in(whole.engine.requests[0])) == 1


async def test_pain_what_concerns_one_person_is_shown_to_them_alone(whole: Whole) -> None:
    result = await whole.server.ann.slash(whole.server.channel, "temperature", value=0.7, scope="me")
    await whole.until(lambda: result.response is not None and "0.7" in result.response.content)
    assert result.ephemeral


async def test_a_refusal_of_a_public_command_is_shown_to_the_person_alone(whole: Whole) -> None:
    result = await whole.server.ann.slash(whole.server.channel, "ask")
    await whole.until(lambda: bool(result.followups))
    assert [message.ephemeral for message in result.followups] == [True]
    assert result.response is None


async def test_the_panel_shows_origins_and_sets_a_value(whole: Whole) -> None:
    shown = await whole.server.ann.slash(whole.server.channel, "settings")
    await whole.until(lambda: shown.response is not None and bool(shown.response.components))
    assert shown.response is not None
    assert "default" in shown.response.content
    form = await whole.server.ann.select(shown.response, ["beams"], custom_id="gander-panel:pick")
    assert form.modal is not None
    value, scope = (each["component"]["custom_id"] for each in form.modal["components"])
    done = await whole.server.ann.submit_modal(form, {value: "3", scope: ["me"]})
    await whole.until(lambda: done.response is not None and "3" in done.response.content)
    assert done.ephemeral


async def test_describe_answers_about_anybody_s_picture(whole: Whole) -> None:
    photo = await whole.server.bob.send(whole.server.channel, "my goose", attachments=[("goose.png", GOOSE)])
    await whole.server.ann.context_menu(whole.server.channel, "Describe", photo)
    assert await whole.ends(1) == ["> **ann**: What is in this picture?\n\nYou asked: What is in this picture?"]


async def test_a_form_that_nobody_sends_is_forgotten(whole: Whole) -> None:
    photo = await whole.server.bob.send(whole.server.channel, "my goose", attachments=[("goose.png", GOOSE)])
    await whole.server.ann.context_menu(whole.server.channel, "Ask about this picture", photo)
    kept = whole.server.client._connection._view_store._modals
    assert len(kept) == 1
    await whole.server.env.advance_time(OPEN_SECONDS + 1)
    assert kept == {}


async def test_ask_about_this_picture_opens_a_form(whole: Whole) -> None:
    photo = await whole.server.bob.send(whole.server.channel, "my goose", attachments=[("goose.png", GOOSE)])
    form = await whole.server.ann.context_menu(whole.server.channel, "Ask about this picture", photo)
    assert form.modal is not None
    question = form.modal["components"][0]["component"]["custom_id"]
    await whole.server.ann.submit_modal(form, {question: "how old?"})
    await whole.says("You asked: how old?")


@pytest.mark.parametrize("entry", ["Ask about this picture", "Describe"])
async def test_a_message_without_a_picture_is_refused_to_whoever_chose_it(whole: Whole, entry: str) -> None:
    """It thought where all could see it, in a message that only Discord's word "@original" names: that goes, and no form opens."""
    message = await whole.server.bob.send(whole.server.channel, "no picture at all")
    chosen = await whole.server.ann.context_menu(whole.server.channel, entry, message)
    assert chosen.modal is None
    refusal = TEXTS.render("en", "ask.no_picture_there").partition(".")[0]
    await whole.until(lambda: any(refusal in each.content for each in chosen.followups))
    assert all(each.ephemeral for each in chosen.followups)
    assert whole.server.said() == []
    assert whole.engine.requests == []


async def test_pain_only_the_asker_may_press(whole: Whole) -> None:
    await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} hello")
    await whole.ends(1)
    refused = await whole.server.bob.click(whole.server.said()[-1], label="Again")
    await whole.until(lambda: bool(refused.followups))
    assert refused.followups[0].ephemeral
    await whole.server.ann.click(whole.server.said()[-1], label="Again")
    await whole.ends(2)


async def test_buttons_work_after_a_restart(whole: Whole) -> None:
    await whole.server.ann.send(whole.server.channel, f"{whole.server.mention} hello")
    await whole.ends(1)
    await whole.restart()
    await whole.server.ann.click(whole.server.said()[-1], label="Again")
    assert len(await whole.ends(2)) == 2
