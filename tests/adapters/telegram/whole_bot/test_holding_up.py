"""One slow file of one person holds up nobody else on Telegram: by the program's own loop over the strict server."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.adapters.conformance import PNG
from tests.adapters.strict.telegram.world import BOB
from tests.adapters.telegram.rig import whole
from tests.bot.rig import asked


async def test_a_stalled_photo_and_much_talk_hold_up_neither_its_chat_nor_others_and_stop_passes(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group, other = telegram.world.group(), telegram.world.private(BOB)
        photo = telegram.world.photo(PNG)
        telegram.api.held[photo[-1]["file_id"]] = asyncio.Event()
        await telegram.world.say(group, "@gander_bot stalled", photo=photo)
        await telegram.until(lambda: bool(telegram.api.called("getFile")))
        for number in range(105):
            await telegram.world.say(group, f"talk {number}", by=BOB)
        await telegram.world.say(group, "@gander_bot words", by=BOB)
        await telegram.world.say(other, "elsewhere", by=BOB)
        await telegram.world.say(group, "@gander_bot mine", by=BOB, photo=telegram.world.photo(PNG))
        await telegram.until(lambda: {asked(each) for each in telegram.engine.requests} == {"words", "elsewhere", "mine"})
        await telegram.world.say(group, "/stop")
        await telegram.until(lambda: any("Stopped" in each["text"] for each in telegram.said(group)))
        assert not any(asked(each) == "stalled" for each in telegram.engine.requests)
