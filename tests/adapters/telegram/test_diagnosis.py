"""What the bot can't see in a chat is said to its administrators."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.strict.telegram.world import ANN, BOB
from tests.adapters.telegram.rig import whole


async def test_diagnose_says_what_privacy_mode_hides(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        telegram.world.managers.add((group, ANN["id"]))
        telegram.world.privacy = True
        await telegram.world.say(group, "/diagnose")
        assert "privacy mode is on" in (await telegram.answers(group))[0]
        telegram.world.privacy = False
        await telegram.world.say(group, "/diagnose@gander_bot")
        assert "every message" in (await telegram.answers(group, 2))[1]
        await telegram.world.say(group, "/diagnose", by=BOB | {"language_code": "en"})
        assert "Only administrators" in (await telegram.answers(group, 3))[2]
