"""What people send on Discord while the bot is down is answered after its start, once: the gateway tells nothing of it."""

from __future__ import annotations

from pathlib import Path

from PIL import Image
from simcord.backend import permissions
from simcord.backend.models import Overwrite
from simcord.enums import OverwriteType

from bot.config.schema import LimitOptions
from tests.adapters.discord.whole_bot.test_kills import gander
from tests.adapters.strict.discord.api import DiscordApi, Failure
from tests.adapters.strict.discord.whole import whole
from tests.adapters.strict.discord.world import World
from tests.bot.hostile import encode
from tests.bot.postgres import column
from tests.bot.rig import ScriptedEngine, asked

GOOSE = encode(Image.new("RGB", (20, 10), "white"), "PNG")
HISTORY = "/channels/*/messages"
HOUR = 3600.0


def heard(*engines: ScriptedEngine) -> list[str]:
    """What the engines were asked, in any order."""
    return sorted(asked(request) for engine in engines for request in engine.requests)


async def test_what_was_sent_while_the_program_was_dead_is_answered_once(tmp_path: Path) -> None:
    async with gander(tmp_path) as bot:
        world = bot.world
        thread, direct = world.thread(), world.direct(world.bob)
        world.asks("in the channel?")
        world.asks("in the thread?", channel=thread)
        world.say("in private?", by=world.bob, channel=direct)
        await bot.settled(1)
        await bot.until(lambda: len(world.said(thread)) == len(world.said(direct)) == 1 and bot.owes_nothing())
        bot.kill()
        await bot.ended()
        world.say("the weather is nice")
        missed = [world.asks("and now?"), world.asks("and here?", channel=thread)]
        missed += [
            world.say("and between us?", by=world.bob, channel=direct),
            world.say("how old?", by=world.bob, reply_to=world.said()[0]),
        ]
        await bot.restart()
        await bot.until(lambda: (len(world.said()), len(world.said(thread)), len(world.said(direct))) == (3, 2, 2))
        await bot.until(bot.owes_nothing)
        bot.kill()  # at once: what it wrote down of how far it had read is older than the answers
        await bot.restart()
        world.asks("still there?")
        await bot.settled(4)
        told = [each for channel in (None, thread, direct) for each in world.said(channel)]
        assert len(told) == 8
        replied = [int((each.reference or {"message_id": 0})["message_id"]) for each in told]
        assert all(replied.count(each.id) == 1 for each in missed)


async def test_a_first_question_that_a_kill_cuts_off_is_answered_after_the_start(tmp_path: Path) -> None:
    async with gander(tmp_path) as bot:
        bot.world.asks("what is this?")  # it waits half a second for a picture before it is stored
        await bot.until(lambda: bool(marks(tmp_path)))
        bot.kill()
        await bot.ended()
        await bot.restart()
        assert len(await bot.settled(1)) == 1


async def test_a_connection_that_can_not_be_resumed_is_caught_up_with(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        bot.world.asks("first?")
        await bot.ends()
        bot.api.gateway.feeder = None  # Discord knows the session no more
        bot.world.asks("missed?")
        bot.api.fail("GET", HISTORY, Failure(404, {"code": 0, "message": "not now"}))
        await bot.api.gateway.drop()
        await bot.until(lambda: len(bot.api.gateway.identified) == 2)
        bot.world.asks("third?")
        await bot.ends(3)
        assert [asked(request) for request in bot.engine.requests] == ["first?", "missed?", "third?"]  # in their order


async def test_what_is_too_old_is_said_once_a_channel(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        api, world = bot.api, bot.world
        api.backend.clock.elapsed = -20 * HOUR
        world.asks("first?")
        await bot.ends()
    for hours in (-14, -13, 0):
        api.backend.clock.elapsed = hours * HOUR
        world.asks(f"at {hours}?")
    limits = LimitOptions(answer_hours=12, burst=1_000).model_dump()
    async with whole(tmp_path, world=world, api=api, limits=limits) as again:
        said = await again.ends(3)
        assert [each.partition(".")[0] for each in said if "away" in each] == ["I was away"]
        assert heard(again.engine) == ["at 0?"]


async def test_who_is_let_in_by_a_role_still_is(tmp_path: Path) -> None:
    """In a channel's history authors stand without their roles."""
    api = DiscordApi()
    world = World(api.backend)
    role = api.backend.create_role(world.guild.id, "keepers")
    api.backend.add_member_role(world.guild.id, world.ann.id, role.id)
    access = {"allow_roles": [f"discord:{role.id}"]}
    async with whole(tmp_path, world=world, api=api, access=access) as bot:
        world.asks("first?")
        await bot.ends()
    world.asks("missed?")
    world.asks("may I?", by=world.bob)
    async with whole(tmp_path, world=world, api=api, access=access) as again:
        await again.ends(3)
        assert heard(again.engine) == ["missed?"]


async def test_where_the_bot_may_not_look_it_goes_on_without(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        api, world = bot.api, bot.world
        closed = api.backend.create_channel(world.guild.id, "closed")
        for channel in (closed, world.channel):
            world.asks("first?", channel=channel)
            await bot.ends(1, channel)
    history = permissions.flag("read_message_history")
    api.backend.set_overwrite(closed.id, Overwrite(target_id=world.guild.id, type=OverwriteType.ROLE, deny=history))
    for channel in (closed, world.channel):
        world.asks("missed?", channel=channel)
    async with whole(tmp_path, world=world, api=api) as again:
        await again.ends(2)
        world.asks("and now?", channel=closed)
        await again.ends(2, closed)
        assert heard(again.engine) == ["and now?", "missed?"]
        assert not [call for call in api.calls if call.method == "GET" and call.path == f"/channels/{closed.id}/messages"]


async def test_a_picture_from_before_the_restart_is_still_meant(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        api, world = bot.api, bot.world
        world.asks("first?")
        await bot.ends()
        shown = world.say("look", pictures=[("goose.png", GOOSE)])
        await bot.until(lambda: kept_pictures(tmp_path) == [str(shown.id)] and marks(tmp_path)[0] >= str(shown.id))
    world.asks("what is this?")
    async with whole(tmp_path, world=world, api=api) as again:
        assert "About the picture that you just showed" in (await again.ends(2))[1]
        assert "image_url" in str(again.engine.requests)


async def test_nothing_is_looked_for_where_nothing_was_said(tmp_path: Path) -> None:
    async with whole(tmp_path) as bot:
        bot.world.asks("first?")
        await bot.ends()
    async with whole(tmp_path, world=bot.world, api=bot.api) as again:
        again.world.asks("second?")
        await again.ends(2)
        assert not again.api.called("GET", HISTORY)


def kept_pictures(home: Path) -> list[str]:
    """The messages with pictures that are remembered over a restart."""
    return column(home / "gander.db", "SELECT message_id FROM recent_picture")


def marks(home: Path) -> list[str]:
    """How far each channel was read, as it is stored."""
    return column(home / "gander.db", "SELECT event FROM seen")
