"""`/forget` asks first, and is confirmed by the asker's own button."""

from __future__ import annotations

from bot.command_registry import COMMANDS, CommandRunner
from bot.commands.parser import parse_command
from bot.message import Value
from tests.bot.commands.diary import TEXTS, Diary, refusal, say
from tests.bot.people import ADA, BOB, given


async def test_forget_is_confirmed_by_the_asker_s_own_button(runner: CommandRunner, diary: Diary) -> None:
    for options in ({}, {"what": "channel"}, {"person": "17"}):
        question = await runner.run(given("forget", options), diary)
        assert question is not None
        [button] = question.actions
        assert len(button.command.encode()) <= 64  # all that Telegram takes
        pressed = parse_command(button.command, COMMANDS, TEXTS)
        assert pressed is not None
        assert "Done." in await say(runner, diary, given("forget", pressed.options))
        assert (await refusal(runner, diary, given("forget", pressed.options, BOB)))[0] == "forget.not_your_button"
    assert diary.done == [("forget",), ("forget_here", None), ("forget_here", "17")]


async def test_forget_asks_first(runner: CommandRunner, diary: Diary) -> None:
    typed: tuple[dict[str, Value], ...] = (
        {},
        {"confirm": "no"},
        {"confirm": "yes"},
        {"confirm": "yes", "person": "17"},
        {"confirm": True, "what": "channel"},
    )
    for options in typed:
        shown = await say(runner, diary, given("forget", options))
        assert "4 messages, 2 pictures" in shown
        assert "**\\*Ann\\*** (2)" in shown
    assert diary.done == []
    assert (await say(runner, diary, given("forget", {"asker": ADA.id}))).startswith("Done. Deleted: 4 messages, 2 pictures.")
