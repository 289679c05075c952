"""What is for one person alone is seen by nobody else, whatever Discord loses: over all kinds of replies, parts and failures."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from simcord.backend.models import Message, User

from adapters.web import adapter as web
from bot.command_registry import CommandRunner
from bot.questions.ask import AskService
from tests.adapters.strict.discord.api import DiscordApi, Failure
from tests.adapters.strict.discord.whole import Whole, whole
from tests.adapters.strict.discord.world import World
from tests.bot.postgres import column

AGAIN = "I can't show you my answer without showing it to everybody. Give the command again, please."
OWED = "SELECT count(*) FROM event WHERE reply IS NOT NULL"
LOADING = 1 << 7
CALLBACK, WEBHOOK = "/interactions/*", "/webhooks/*"
COMMANDS: dict[str, tuple[str, dict[str, Any]]] = {
    "a long one": ("help", {}),
    "a panel": ("settings", {}),
    "a button": ("forget", {}),
    "a refusal": ("temperature", {"value": 0.7, "scope": "server"}),
    "a short one": ("stop", {}),
    "a followed one": ("queue", {}),
}


@dataclass(frozen=True)
class Mishap:
    """What a kind of request meets, so often in a row."""

    method: str
    path: str
    failure: Failure
    times: int = 1


MISHAPS = {
    "all is well": (),
    "Discord is busy": (Mishap("POST", CALLBACK, Failure(503), 2),),
    "its answer is lost": (Mishap("POST", CALLBACK, Failure(done=True, cut=True)),),
    "the connection is cut": (Mishap("POST", CALLBACK, Failure(cut=True)),),
    "it knows nothing of it": (Mishap("POST", CALLBACK, Failure(404, {"code": 10062, "message": "Unknown interaction"})),),
    "the first words are lost": (Mishap("PATCH", WEBHOOK, Failure(cut=True)),),
    "the first words are said unheard": (Mishap("PATCH", WEBHOOK, Failure(done=True, cut=True)),),
    "a further part is lost": (Mishap("POST", WEBHOOK, Failure(cut=True)),),
    "a further part is said unheard": (Mishap("POST", WEBHOOK, Failure(done=True, cut=True)),),
    "the token ends": (Mishap("POST", WEBHOOK, Failure(404, {"code": 10015, "message": "Unknown Webhook"})),),
    "the token ends early": (Mishap("PATCH", WEBHOOK, Failure(401, {"code": 50027, "message": "Invalid Webhook Token"})),),
    "people take no messages": (
        Mishap("POST", CALLBACK, Failure(404, {"code": 10062, "message": "Unknown interaction"})),
        Mishap("POST", "/users/@me/channels", Failure(403, {"code": 50007, "message": "Cannot send messages to this user"})),
    ),
}


def meet(api: DiscordApi, mishap: str) -> None:
    for each in MISHAPS[mishap]:
        api.fail(each.method, each.path, *[each.failure] * each.times)


async def said_all(bot: Whole, home: Path) -> None:
    """Wait until nothing is owed to anybody."""

    await bot.until(lambda: column(home / "gander.db", OWED) == ["0"])


def everything(world: World) -> list[Message]:
    return [each for channel in world.backend.messages.values() for each in channel.values() if each.author_id == world.me.id]


def seen_by(world: World, person: User) -> list[str]:
    """What the bot has told this person and not everybody."""
    direct = [each.content for each in world.said(world.direct(person))]
    return [*direct, *(each.content for each in world.private_messages(person))]


def is_chinese(text: str) -> bool:
    return any("\u4e00" <= letter <= "\u9fff" for letter in text)


Round = tuple[str, str, str]  # what Ann and Bob ask for at once, and what Discord does meanwhile
ROUNDS = st.lists(
    st.tuples(st.sampled_from(list(COMMANDS)), st.sampled_from(list(COMMANDS)), st.sampled_from(list(MISHAPS))), min_size=3, max_size=5
)


@given(ROUNDS)
@settings(max_examples=4, deadline=None, derandomize=True, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_asked_and_whatever_is_lost_nobody_sees_what_is_for_another(rounds: Sequence[Round]) -> None:
    """Ann is answered in English and Bob in Chinese, so that every word tells whom it was for."""
    with tempfile.TemporaryDirectory() as home:
        asyncio.run(_play(Path(home), rounds))


async def _play(home: Path, rounds: Sequence[Round]) -> None:
    async with whole(home) as bot:
        ann, bob = bot.world.ann, bot.world.bob
        bot.world.locales[bob.id] = "zh-CN"
        for anns, bobs, mishap in rounds:
            meet(bot.api, mishap)
            before = len(everything(bot.world))
            for person, (name, options) in ((ann, COMMANDS[anns]), (bob, COMMANDS[bobs])):
                bot.world.gives(name, by=person, **options)
            await bot.until(lambda before=before: len(everything(bot.world)) >= before + 2)  # type: ignore[misc]  # bound now
            await said_all(bot, home)
            bot.api.failures.clear()
        public = [each.content for each in bot.world.said() if each.content]  # what still thinks says nothing
        assert [each for each in public if not (AGAIN in each or "请再发一次命令" in each)] == []
        assert [each for each in seen_by(bot.world, ann) if is_chinese(each)] == []
        assert [each for each in seen_by(bot.world, bob) if each and not is_chinese(each)] == []


@pytest.mark.parametrize(("kind", "mishap"), [("a long one", "all is well"), *((kind, "it knows nothing of it") for kind in COMMANDS)])
async def test_what_a_command_says_is_seen_by_whoever_gave_it(tmp_path: Path, kind: str, mishap: str) -> None:
    async with whole(tmp_path) as bot:
        meet(bot.api, mishap)
        name, options = COMMANDS[kind]
        bot.world.gives(name, **options)
        await bot.until(lambda: bool(everything(bot.world)))
        await said_all(bot, tmp_path)
        assert all(AGAIN in each.content for each in bot.world.said())
        assert seen_by(bot.world, bot.world.bob) == []
        assert seen_by(bot.world, bot.world.ann) or bot.world.said()


@pytest.mark.parametrize("way", ["given", "typed"])
@pytest.mark.parametrize("mishap", ["all is well", "it knows nothing of it", "people take no messages"])
async def test_the_secret_address_of_a_wall_is_told_to_the_presenter_alone(tmp_path: Path, way: str, mishap: str) -> None:
    pages: asyncio.Queue[str] = asyncio.Queue()
    api = DiscordApi()
    world = World(api.backend)
    ann = world.ann
    world.guild.owner_id = ann.id
    page = {"web": partial(web.run, opened=pages.put_nowait)}
    async with whole(tmp_path, world=world, api=api, beside=page, web={"port": 0}) as bot:
        bot.world.gives("demo", action="start")
        await bot.until(lambda: any("Post a picture here" in each.content for each in bot.world.said()))
        await bot.until(lambda: any("/wall/" in each for each in seen_by(bot.world, ann)))
        told = len(seen_by(bot.world, ann))
        meet(bot.api, mishap)
        if way == "given":
            bot.world.gives("demo", action="wall")
        else:
            bot.world.asks("/demo wall")
        if mishap == "people take no messages":
            await bot.until(lambda: len(bot.api.called("POST", "/users/@me/channels")) > 0)
        else:
            await bot.until(lambda: len(seen_by(bot.world, ann)) > told)
            assert "/wall/" in seen_by(bot.world, ann)[-1] or "/wall/" in seen_by(bot.world, ann)[0]
        bot.world.asks("done?", by=bot.world.bob)
        await bot.until(lambda: any("done?" in each.content for each in bot.world.said()))
        assert not any("/wall/" in each.content for each in bot.world.said())
        assert seen_by(bot.world, bot.world.bob) == []


async def test_a_dismissed_reply_does_not_come_back(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        bot.engine.gate.clear()
        for number in range(bot.engine.rows + 3):
            bot.world.asks(f"question {number}")
        await bot.until(lambda: bot.engine.running > 0)
        bot.world.gives("queue")  # it moves as the line moves
        await bot.private_replies(bot.world.ann)
        [reply] = bot.world.private_messages(bot.world.ann)
        bot.world.deletes(reply)
        bot.engine.gate.set()
        await bot.ends(bot.engine.rows + 3)
        await bot.until(lambda: any(call.method == "PATCH" and call.path.endswith(str(reply.id)) for call in bot.api.calls))
        bot.world.gives("stop")
        await bot.private_replies(bot.world.ann)
        assert len(bot.world.private_messages(bot.world.ann)) == 1
        assert bot.world.said(bot.world.direct(bot.world.ann)) == []


async def test_what_fails_inside_ends_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    async with whole(tmp_path) as bot:
        monkeypatch.setattr(AskService, "ask", fail)
        bot.world.gives("ask", prompt="how many geese?")
        await bot.until(lambda: any("Something went wrong" in each.content for each in everything(bot.world)))
        monkeypatch.setattr(CommandRunner, "run", fail)
        bot.world.gives("help")
        await bot.private_replies(bot.world.ann)
