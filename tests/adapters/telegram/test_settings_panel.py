"""The settings panel: its buttons set values in its own message, for those whose panel it is."""

from __future__ import annotations

from pathlib import Path

from tests.adapters.strict.telegram.world import ANN, BOB
from tests.adapters.telegram.rig import Whole, whole


async def test_the_panel_changes_a_setting_in_its_own_message(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        chat = telegram.world.private()
        await telegram.world.say(chat, "/settings")
        await telegram.answers(chat)
        await _press(telegram, chat, "temperature")
        await telegram.until(lambda: "daring" in telegram.said(chat)[0]["text"])
        await _press(telegram, chat, "0.7")
        await telegram.until(lambda: "temperature is now 0.7" in telegram.said(chat)[0]["text"])
        await _press(telegram, chat, "⬅️")
        await telegram.until(lambda: "Settings here" in telegram.said(chat)[0]["text"])
        assert len(telegram.said(chat)) == 1


async def test_pain_only_the_right_people_press_a_panel(tmp_path: Path) -> None:
    async with whole(tmp_path) as telegram:
        group = telegram.world.group()
        await telegram.world.say(group, "/settings")
        before = await telegram.answers(group)
        await _press(telegram, group, "temperature", BOB)
        await telegram.until(lambda: bool(telegram.api.called("answerCallbackQuery")))
        assert "/settings" in telegram.api.called("answerCallbackQuery")[0]["text"]
        telegram.world.managers.add((group, BOB["id"]))
        assert [each["text"] for each in telegram.said(group)] == before


async def _press(telegram: Whole, chat: int, label: str, by: dict[str, object] = ANN) -> None:
    message = telegram.said(chat)[0]
    rows = message["reply_markup"]["inline_keyboard"]
    data = next(each["callback_data"] for row in rows for each in row if each["text"] == label)
    await telegram.world.press(chat, message["message_id"], data, by=by)
