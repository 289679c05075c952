"""The strict Discord itself, driven by the very adapter: what it takes, refuses, loses and shows to whom."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import pytest
from PIL import Image
from simcord.backend import Backend, permissions
from simcord.backend.errors import BackendError

from tests.adapters.strict.discord.api import TOKEN, DiscordApi, Failure, serving
from tests.adapters.strict.discord.rules import Json, Pace, Rules
from tests.adapters.strict.discord.whole import whole
from tests.adapters.strict.discord.world import World
from tests.bot.hostile import encode

GOOSE = encode(Image.new("RGB", (20, 10), "white"), "PNG")


async def test_a_question_with_a_picture_is_answered(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        question = bot.world.asks("how many geese?", pictures=[("goose.png", GOOSE)])
        assert await bot.ends() == ["You asked: how many geese?"]
        [answer] = bot.world.said()
        assert (answer.reference or {})["message_id"] == str(question.id)
        assert "image_url" in str(bot.engine.requests)
        assert bot.api.pace.floods == 0


async def test_commands_are_answered_to_one_person_or_to_all(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        bot.world.gives("help")
        [said] = await bot.private_replies(bot.world.ann)
        assert bot.world.private_messages(bot.world.bob) == bot.world.said() == []
        assert said
        bot.world.gives("ask", prompt="how many geese?")
        assert "how many geese?" in (await bot.ends())[0]
        bot.world.presses(bot.world.said()[0], "Again")
        await bot.until(lambda: len(bot.engine.requests) == 2)


async def test_a_send_whose_reply_is_lost_stands_there_once(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        bot.api.fail("POST", "/channels/*/messages", Failure(done=True, cut=True))
        bot.world.asks("how many geese?")
        assert await bot.ends() == ["You asked: how many geese?"]
        assert len(bot.api.called("POST", "/channels/*/messages")) == 2


async def test_a_dropped_connection_is_resumed_and_told_what_it_missed(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        await bot.api.gateway.drop()
        bot.world.asks("still there?")
        assert await bot.ends() == ["You asked: still there?"]
        assert (len(bot.api.gateway.identified), len(bot.api.gateway.resumed)) == (1, 1)


async def test_a_busy_channel_is_answered_without_overdrawing_its_bucket(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        for number in range(8):
            bot.world.asks(f"{number}?")
        assert sorted(await bot.ends(8)) == [f"You asked: {number}?" for number in range(8)]
        assert bot.api.pace.floods == 0


async def test_a_thread_that_was_archived_opens_for_an_answer(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        thread = bot.world.thread()
        bot.engine.gate.clear()
        bot.world.asks("in here?", channel=thread)
        await bot.until(lambda: bot.engine.running == 1)
        assert thread.thread_metadata is not None
        thread.thread_metadata.archived = True
        bot.engine.gate.set()
        assert (await bot.ends(1, thread))[0] == "You asked: in here?"


async def test_who_may_not_write_is_told_so_and_an_unknown_token_nothing() -> None:
    api = DiscordApi()
    world = World(api.backend)
    bot = world.guild.members[world.me.id]
    bot.role_ids.clear()
    world.guild.everyone_role.permissions = permissions.flag("view_channel")
    async with serving(api) as address, aiohttp.ClientSession(f"http://{address}/api/v10/") as session:
        url = f"channels/{world.channel.id}/messages"
        async with session.post(url, json={"content": "?"}, headers={"Authorization": f"Bot {TOKEN}"}) as refused:
            assert (refused.status, (await refused.json())["code"]) == (403, 50013)
        async with session.post(url, json={"content": "?"}, headers={"Authorization": "Bot another"}) as unknown:
            assert unknown.status == 401


async def test_an_interaction_lives_three_seconds_unacknowledged_and_fifteen_minutes_then() -> None:
    api = DiscordApi()
    world = World(api.backend)
    api.backend.register_commands(None, [{"name": "help", "description": "?"}])
    async with serving(api) as address, aiohttp.ClientSession(f"http://{address}/api/v10/") as session:

        async def acknowledge(name: int, token: str) -> tuple[int, int]:
            async with session.post(f"interactions/{name}/{token}/callback", json={"type": 5, "data": {"flags": 64}}) as response:
                told = await response.json()
            return response.status, told.get("code", 0)

        async def fill(token: str) -> int:
            url = f"webhooks/{api.backend.application_id}/{token}/messages/@original"
            async with session.patch(url, json={"content": "only for you"}) as response:
                return response.status

        late, quick = world.gives("help"), world.gives("help")
        assert await acknowledge(quick.id, quick.token) == (200, 0)
        assert await acknowledge(quick.id, quick.token) == (400, 40060)
        api.backend.advance_clock(3)
        assert await acknowledge(late.id, late.token) == (404, 10062)
        assert await fill(quick.token) == 200
        assert [each.content for each in world.private_messages(world.ann)] == ["only for you"]
        assert world.private_messages(world.bob) == world.said() == []
        api.backend.advance_clock(15 * 60)
        assert await fill(quick.token) == 404


@pytest.fixture
def rules() -> Rules:
    return Rules(Backend(), blocked={"geese"})


def refused(rules: Rules, method: str, path: str, body: Json) -> tuple[int, int]:
    with pytest.raises(BackendError) as error:
        rules.check(method, path.split("/"), body)
    return error.value.status, error.value.code


def test_automod_blocks_sends_and_edits(rules: Rules) -> None:
    assert refused(rules, "POST", "channels/1/messages", {"content": "two geese"}) == (400, 200000)
    assert refused(rules, "PATCH", "channels/1/messages/2", {"content": "two geese"}) == (400, 200000)
    assert refused(rules, "POST", "channels/1/messages", {"nonce": "n" * 26}) == (400, 50035)


def test_an_archived_thread_takes_no_edit_and_a_locked_one_nothing() -> None:
    world = World(Backend())
    rules, thread = Rules(world.backend), world.thread()
    assert thread.thread_metadata is not None
    thread.thread_metadata.archived = True
    assert refused(rules, "PATCH", f"channels/{thread.id}/messages/2", {}) == (400, 50083)
    rules.check("POST", ["channels", str(thread.id), "messages"], {})
    assert not thread.thread_metadata.archived
    thread.thread_metadata.locked = True
    rules.check("PATCH", ["channels", str(thread.id), "messages", "2"], {})  # it may manage threads
    world.guild.members[world.me.id].role_ids.clear()
    assert refused(rules, "PATCH", f"channels/{thread.id}/messages/2", {}) == (403, 50013)
    thread.thread_metadata.archived = True
    assert refused(rules, "POST", f"channels/{thread.id}/messages", {}) == (400, 50083)


def test_a_nonce_that_was_used_gives_the_old_message_until_that_is_deleted() -> None:
    world = World(Backend())
    rules, body, path = Rules(world.backend), {"nonce": "n", "enforce_nonce": True}, ["channels", str(world.channel.id), "messages"]
    assert rules.repeated(path, body) is None
    message = world.say("first", by=world.me)
    rules.note(body, message.id)
    assert rules.repeated(path, body) == message.id
    assert rules.repeated(path, {"nonce": "n"}) is None
    world.deletes(message)
    with pytest.raises(BackendError):
        rules.repeated(path, body)


def test_a_bucket_tells_what_is_left() -> None:
    pace, path = Pace({"POST messages": (2, 60.0)}), ["channels", "1", "messages"]
    spent = [pace.spend("POST", path) for _ in range(3)]
    assert [(each.left, each.flooded) for each in spent if each] == [(1, False), (0, False), (0, True)]
    assert pace.floods == 1
    other = pace.spend("POST", ["channels", "2", "messages"])
    assert other is not None
    assert other.left == 1
