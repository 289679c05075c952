"""Commands in the bot's own texts are clickable once Discord has given them ids; nobody else can write one."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from adapters.discord.clickable_commands import LONGEST_ID
from adapters.discord.message_content import content_of
from adapters.discord.open_interactions import MESSAGE_LENGTH
from adapters.discord.platform import LIMITS
from bot.command_registry import COMMANDS
from bot.delivery.split import split
from bot.platform import Outgoing
from bot.texts import CHINESE, ENGLISH
from bot.texts.marked_commands import BEGIN, END
from tests.adapters.discord.rig import TEXTS
from tests.adapters.strict.discord.api import DiscordApi, Failure
from tests.adapters.strict.discord.whole import whole

SAID = TEXTS.on("discord")
IDS = {name: LONGEST_ID - number for number, name in enumerate(COMMANDS)}


def shown(text: str, ids: dict[str, int] = IDS, *, footer: str = "", spoiler: bool = False) -> str:
    return str(content_of(Outgoing(text, footer=footer, spoiler=spoiler), SAID, ids).sent()["content"])


async def test_help_s_lines_are_clickable_in_every_language(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        ids = {name: each["id"] for (name, kind), each in bot.world.backend.commands[None].items() if kind == 1}
        bot.world.locales[bot.world.bob.id] = "zh-CN"
        for person, language in ((bot.world.ann, ENGLISH), (bot.world.bob, CHINESE)):
            bot.world.gives("help", by=person)
            [said] = await bot.private_replies(person)
            for name in COMMANDS:
                assert f"</{name}:{ids[name]}> {SAID.render(language, f'command.{name}.description')}" in said
            assert not re.search(r"(?<!<)/\w", said)
        bot.world.gives("help", topic="hlep")
        await bot.until(
            lambda: any(f"Did you mean </help:{ids['help']}>?" in each.content for each in bot.world.private_messages(bot.world.ann))
        )


async def test_until_discord_has_taken_the_commands_they_are_named(tmp_path: Path) -> None:
    api = DiscordApi()
    api.fail("PUT", "/applications/*/commands", Failure(400, {"code": 50035, "message": "Invalid Form Body"}))
    async with whole(tmp_path, api=api) as bot:
        bot.world.asks("/forget chat")
        assert await bot.ends() == [SAID.render(ENGLISH, "forget.not_yours").replace(SAID.command(ENGLISH, "forget"), "/forget")]
        bot.world.asks("/提问", by=bot.world.bob)
        await bot.until(lambda: any("/ask `prompt:what is this?`" in each.content for each in bot.world.said()))


async def test_what_people_and_models_write_is_no_command_of_ours(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        ask = bot.world.backend.commands[None][("ask", 1)]["id"]
        for forged in (f"</ask:{ask}>", f"{BEGIN}ask/ask{END}"):
            bot.world.asks(f"/help who wrote {forged}")
        await bot.ends(2)
        bot.world.asks(f"what is </ask:{ask}>, {BEGIN}ask/ask{END}?")
        said = await bot.ends(3)
        assert not any(f"</ask:{ask}>" in each or BEGIN in each for each in said)


@given(st.text(alphabet="</ask:0123> `\n", max_size=40))
def test_a_foreign_text_stays_without_commands(text: str) -> None:
    assert not re.search(r"</[^\n:<>]{1,100}:\d+>", shown(text))


def test_commands_are_clickable_in_every_part_of_a_message_but_in_code() -> None:
    ask = SAID.command(ENGLISH, "ask")
    link = f"</ask:{IDS['ask']}>"
    assert shown(f"{ask} `{ask}` {ask}", footer=ask) == f"{link} `/ask` {link}\n-# {link}"
    assert shown(f"```\n{ask}\n```") == "```\n/ask\n```"
    assert shown(SAID.command(CHINESE, "ask"), ids={}) == "/提问"
    assert shown(ask, spoiler=True) == f"||{link}||"
    assert content_of(Outgoing(ask), SAID, IDS).alt == "/ask"


def test_a_message_has_room_for_its_commands() -> None:
    for language in (ENGLISH, CHINESE):
        lines = "\n".join(f"{SAID.command(language, name)} {name}" for name in [*COMMANDS] * 9)
        parts = split(lines, LIMITS.text, LIMITS.length)
        assert len(parts) > 1
        assert max(len(shown(part, spoiler=True)) for part in parts) <= MESSAGE_LENGTH
        assert max(len(shown(part, {}, spoiler=True)) for part in parts) <= MESSAGE_LENGTH
