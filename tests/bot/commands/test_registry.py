"""What each command does and says, with real settings in a real database; the bot's actions are written down."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import exp
from typing import Any

import pytest

from bot.access.policy_store import PolicyStore
from bot.answer_settings import VariedSetting
from bot.commands.actions import Demos
from bot.commands.parser import parse_command
from bot.commands.registry import COMMANDS, CommandRunner
from bot.commands.setting_drawings import LOGITS, probabilities
from bot.config.schema import AccessOptions, LimitOptions
from bot.engines.engine import EngineState
from bot.errors import Refusal
from bot.message import Attachment, Incoming, Reply, Value
from bot.platform import Outgoing
from bot.queue_status import QueuePosition, QueueStatus
from bot.resolve_answer_settings import ScopedSettings
from bot.store.database import Database
from bot.store.forgetting import ForgetPreview, Forgotten
from bot.texts import load_texts
from bot.texts.marked_commands import show_plain
from engine.api import Health
from tests.bot.people import ADA, BOB, MODERATOR, PRIVATE, SERVER, commanded, given, said

TEXTS = load_texts()
READY = Health(
    status="ready", model="pocket", device="cuda:0", memory_bytes=3 << 30, rows=8, defaults={"temperature": 0.6}, notice="A goose."
)
EMPTY = QueueStatus(0, 0, None, ())


@dataclass
class Diary:
    """The bot's actions, written down instead of done."""

    done: list[tuple[Any, ...]] = field(default_factory=list)
    said: list[Outgoing] = field(default_factory=list)
    stopped: int = 0
    line: QueueStatus = EMPTY
    findings: tuple[str, ...] = ()
    states: tuple[EngineState, ...] = (EngineState("http://secret.example", READY, 2),)

    async def ask(self, incoming: Incoming, question: str, request: Mapping[str, Value]) -> None:
        self.done.append(("ask", question, dict(request)))

    async def pick(self, incoming: Incoming, name: str) -> None:
        self.done.append(("pick", name))

    async def again(self, incoming: Incoming, answer_id: int | None, request: Mapping[str, Value]) -> None:
        self.done.append(("again", answer_id, dict(request)))

    async def resume(self, incoming: Incoming, answer_id: int | None) -> None:
        self.done.append(("resume", answer_id))

    async def stop(self, incoming: Incoming, answer_id: int | None) -> int:
        self.done.append(("stop", answer_id))
        return self.stopped

    async def reset(self, incoming: Incoming) -> None:
        self.done.append(("reset",))

    async def held(self, incoming: Incoming, person: str | None, *, channel: bool) -> ForgetPreview:
        return ForgetPreview(4, 2, (("*Ann*", 2),))

    async def forget(self, incoming: Incoming) -> Forgotten:
        self.done.append(("forget",))
        return Forgotten(4, 2)

    async def forget_here(self, incoming: Incoming, person: str | None) -> Forgotten:
        self.done.append(("forget_here", person))
        return Forgotten(4, 2)

    async def compare(self, incoming: Incoming, question: str, varied: VariedSetting) -> None:
        self.done.append(("compare", question, varied))

    async def queue(self, incoming: Incoming) -> QueueStatus:
        return self.line

    async def follow_line(self, incoming: Incoming, words: Callable[[QueueStatus], Outgoing]) -> None:
        self.said.append(words(self.line))

    @property
    def demos(self) -> Demos:
        raise NotImplementedError("demos are tested with a whole bot")

    def file_bytes(self, incoming: Incoming) -> int | None:
        return None

    def announce(self, incoming: Incoming, message: Outgoing) -> None:
        self.said.append(message)

    def tell_privately(self, incoming: Incoming, message: Outgoing) -> bool:
        self.said.append(message)
        return False

    async def engines(self) -> tuple[EngineState, ...]:
        return self.states

    async def diagnose(self, incoming: Incoming) -> tuple[str, ...]:
        return self.findings


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def runner(database: Database) -> CommandRunner:
    policies = PolicyStore(database, AccessOptions(operators=frozenset({"discord:mo"})), LimitOptions())
    return CommandRunner(ScopedSettings(database, TEXTS, {}, policies), policies, TEXTS)


async def say(runner: CommandRunner, diary: Diary, incoming: Incoming) -> str:
    """What the command says to this person alone."""
    outgoing = await runner.run(incoming, diary) or diary.said.pop()
    assert outgoing.private
    return outgoing.text


async def refusal(runner: CommandRunner, diary: Diary, incoming: Incoming) -> tuple[str, dict[str, Any]]:
    with pytest.raises(Refusal) as refused:
        await runner.run(incoming, diary)
    assert TEXTS.render("en", refused.value.key, **refused.value.values)
    return refused.value.key, refused.value.values


async def test_a_setting_without_a_value_explains_itself_and_shows_where_it_comes_from(runner: CommandRunner, diary: Diary) -> None:
    explained = await say(runner, diary, commanded("temperature"))
    assert explained.splitlines()[0].startswith("**Temperature** is how daring")
    assert "**temperature**: 0.6 · the model's default" in explained
    assert "From 0 to 2." in explained
    await runner.run(commanded("temperature", MODERATOR, value=1.0), diary)
    assert "**temperature**: 1 · set in this channel" in await say(runner, diary, commanded("temperature"))
    assert "**温度**：1 · 本频道的设置" in await say(runner, diary, commanded("temperature", ADA, SERVER, "zh-CN"))


async def test_a_setting_says_so_when_no_engine_tells_the_default(runner: CommandRunner, diary: Diary) -> None:
    diary.states = (EngineState("down", None, 0),)
    assert "**temperature**: up to the model" in await say(runner, diary, commanded("temperature"))


async def test_a_manager_sets_the_channel_and_anybody_else_themselves(runner: CommandRunner, diary: Diary) -> None:
    assert await say(runner, diary, commanded("beams", MODERATOR, value=3)) == "beams is now **3** for this channel."
    assert await say(runner, diary, commanded("beams", ADA, value="4")) == "beams is now **4** for you."
    in_private = (await say(runner, diary, commanded("beams", ADA, PRIVATE, value=2))).splitlines()
    assert in_private == ["beams is now **2** for this channel.", "For you it stays 4: you set that for yourself, and it goes first."]
    assert (await refusal(runner, diary, commanded("beams", ADA, value=2, scope="channel")))[0] == "settings.not_yours_to_set"
    assert (await refusal(runner, diary, commanded("beams", ADA, value=2, scope="服务器")))[0] == "settings.not_a_choice"
    assert await say(runner, diary, commanded("beams", MODERATOR, value=2, scope="本服务器")) == "beams is now **2** for this server."


async def test_a_setting_is_taken_back(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("beams", value=3), diary)
    assert await say(runner, diary, commanded("beams", clear=True)) == "beams is no longer set for you.\n**beams**: 1 · default"
    assert (await say(runner, diary, commanded("beams", clear="yes"))).startswith("beams was not set for you.")


async def test_a_value_out_of_range_or_above_the_cap_is_refused(runner: CommandRunner, diary: Diary) -> None:
    assert await refusal(runner, diary, commanded("temperature", value=3)) == (
        "settings.not_a_number_in_range",
        {"name": "temperature", "low": 0, "high": 2, "given": "3"},
    )
    assert await refusal(runner, diary, commanded("beams", value=9)) == ("settings.above_cap", {"name": "beams", "limit": 5.0})


async def test_language_is_set_for_oneself_and_spoken_at_once(runner: CommandRunner, diary: Diary) -> None:
    assert await say(runner, diary, commanded("language", MODERATOR, value="中文")) == "language is now **简体中文** for you."
    assert "**语言**：简体中文 · 你设置的" in await say(runner, diary, commanded("language", MODERATOR))
    assert (await refusal(runner, diary, commanded("language", value="Klingon")))[0] == "settings.not_a_choice"


async def test_settings_shows_all_with_origins_and_sets_any(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("settings", name="top_p", value="0.9"), diary)
    await runner.run(commanded("settings", MODERATOR, name="memory", value="replies"), diary)
    shown = (await say(runner, diary, commanded("settings"))).splitlines()
    assert "**top_p**: 0.9 · set by you" in shown
    assert "**memory**: replies only · set in this channel" in shown
    assert "**beams**: 1 · default" in shown
    assert "**temperature**: 0.6 · the model's default" in shown
    assert "**length_penalty**: up to the model" in shown
    assert "**language**: English · as your app is set" in shown
    assert (await refusal(runner, diary, commanded("settings", name="warmth")))[0] == "settings.not_a_choice"


async def test_a_long_system_prompt_is_shown_short(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("settings", name="system_prompt", value="Be very brief. " * 60), diary)
    assert max(map(len, (await say(runner, diary, commanded("settings"))).splitlines())) < 200


async def test_settings_can_be_opened_to_all(runner: CommandRunner, diary: Diary) -> None:
    assert (await refusal(runner, diary, commanded("settings", open=True)))[0] == "settings.not_yours_to_open"
    assert (
        await say(runner, diary, commanded("settings", MODERATOR, open="yes")) == "Everyone here may now change the settings of this place."
    )
    assert await say(runner, diary, commanded("beams", ADA, value=3)) == "beams is now **3** for this channel."


async def test_ask_hands_over_the_question_with_its_settings(runner: CommandRunner, diary: Diary) -> None:
    assert await runner.run(commanded("ask", prompt=" What is it? ", temperature="0.2", beams=5), diary) is None
    assert diary.done == [("ask", "What is it?", {"temperature": "0.2", "beams": 5})]


async def test_ask_needs_words_or_a_picture(runner: CommandRunner, diary: Diary) -> None:
    async def read() -> Any:
        yield b""

    picture = Attachment("cat.png", read)
    assert (await refusal(runner, diary, commanded("ask")))[0] == "ask.empty"
    await runner.run(replace(commanded("ask"), attachments=(picture,)), diary)
    await runner.run(replace(commanded("ask"), reply_to=Reply("7", attachments=(picture,))), diary)
    assert diary.done == [("ask", "", {})] * 2


@pytest.mark.parametrize(("name", "expected"), [("again", ("again", 7, {})), ("continue", ("resume", 7)), ("stop", ("stop", 7))])
async def test_a_button_acts_on_its_answer(runner: CommandRunner, diary: Diary, name: str, expected: tuple[Any, ...]) -> None:
    await runner.run(commanded(name, answer_id=7), diary)
    assert diary.done == [expected]


async def test_again_takes_other_settings(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("again", temperature=1.2), diary)
    assert diary.done == [("again", None, {"temperature": 1.2})]


@pytest.mark.parametrize(
    ("stopped", "expected"), [(0, "Nothing is being written for you here."), (1, "Stopped."), (2, "Stopped 2 answers.")]
)
async def test_stop_says_what_it_stopped(runner: CommandRunner, diary: Diary, stopped: int, expected: str) -> None:
    diary.stopped = stopped
    assert await say(runner, diary, commanded("stop")) == expected


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


async def test_reset_is_said_to_all(runner: CommandRunner, diary: Diary) -> None:
    outgoing = await runner.run(commanded("reset"), diary)
    assert outgoing is not None
    assert not outgoing.private
    assert diary.done == [("reset",)]


async def test_queue_shows_ones_own_place(runner: CommandRunner, diary: Diary) -> None:
    assert await say(runner, diary, commanded("queue")) == "Nobody is waiting. Ask away!"
    diary.line = QueueStatus(3, 2, 41.7, (QueuePosition(1, 0, None), QueuePosition(2, 2, 12.4), QueuePosition(3, 3, None)))
    assert (await say(runner, diary, commanded("queue"))).splitlines() == [
        "2 being answered, 3 waiting.",
        "About 42 tokens a second at the moment.",
        "Yours is being answered.",
        "Yours is number 2 in line, in about 12 s.",
        "Yours is number 3 in line.",
    ]


async def test_status_tells_each_engine_and_no_address(runner: CommandRunner, diary: Diary) -> None:
    loading = READY.model_copy(update={"status": "loading"})
    healths = (READY, None, loading, loading.model_copy(update={"seconds_left": 30.0}), READY.model_copy(update={"status": "failed"}))
    diary.states = tuple(EngineState("http://secret.example", health, 2) for health in healths)
    shown = await say(runner, diary, commanded("status"))
    assert shown.splitlines() == [
        "Engine 1 is ready: pocket on cuda:0, 3.0 GiB, 2 being answered.",
        "A goose.",
        "Engine 2 does not answer.",
        "Engine 3 is loading its model.",
        "Engine 4 is loading its model: about 30 s to go.",
        "Engine 5 could not load pocket. The person who runs me finds the reason in the log.",
    ]
    diary.states = ()
    assert "No engine" in await say(runner, diary, commanded("status"))


async def test_diagnose_tells_managers_what_is_found_and_what_the_place_is_called(runner: CommandRunner, diary: Diary) -> None:
    assert await say(runner, diary, commanded("diagnose", ADA, PRIVATE)) == (
        "Nothing can be missing here.\nIn my configuration, [access] names this place discord:dm."
    )
    diary.findings = ("access.place", "discord.complete")
    told = await say(runner, diary, commanded("diagnose", MODERATOR))
    assert told.splitlines()[:2] == ["Sorry, I may not talk in this channel.", "I have every permission that I need in this channel."]
    assert told.splitlines()[2].endswith("this channel discord:general and this server discord:goose.")
    assert (await refusal(runner, diary, commanded("diagnose", ADA)))[0] == "settings.not_yours_to_open"
    assert [runner.is_upkeep(commanded("diagnose", each)) for each in (MODERATOR, ADA)] == [True, False]
    assert not runner.is_upkeep(commanded("ask", MODERATOR))
    assert not runner.is_upkeep(commanded("demo", MODERATOR))


async def test_help_lists_every_command_and_explains_each(runner: CommandRunner, diary: Diary) -> None:
    listed = show_plain(await say(runner, diary, commanded("help")))
    for name in COMMANDS:
        assert f"/{name} " in listed
        assert f"/{name}" in show_plain(await say(runner, diary, commanded("help", topic=f"/{name}")))
    assert "top_p" in await say(runner, diary, commanded("help", topic="top_p"))
    assert await say(runner, diary, commanded("help", topic="束数")) == await say(runner, diary, commanded("help", topic="beams"))


async def test_help_with_something_unknown_proposes_the_nearest(runner: CommandRunner, diary: Diary) -> None:
    assert await refusal(runner, diary, commanded("help", topic="temprature")) == (
        "help.near",
        {"topic": "temprature", "near": "temperature"},
    )
    assert (await refusal(runner, diary, commanded("help", topic="qqq")))[0] == "help.unknown"


async def test_what_no_platform_may_send_is_refused(runner: CommandRunner, diary: Diary) -> None:
    assert (await refusal(runner, diary, commanded("frobnicate")))[0] == "help.unknown"
    assert (await refusal(runner, diary, said()))[0] == "help.unknown"
    assert (await refusal(runner, diary, given("beams", {"warmth": 1})))[0] == "help.unknown_option"


async def test_demos_are_for_managers(runner: CommandRunner, diary: Diary) -> None:
    assert (await refusal(runner, diary, commanded("demo", ADA, action="start")))[0] == "settings.not_yours_to_open"
    assert "for the projector" in COMMANDS["demo"].descriptions(TEXTS)["en"]


async def test_buttons_take_no_forged_answers(runner: CommandRunner, diary: Diary) -> None:
    for name in ("again", "stop", "continue"):
        assert (await refusal(runner, diary, commanded(name, answer_id="x")))[0] == "answer.unknown"


async def test_temperature_and_beams_are_explained_with_a_picture(runner: CommandRunner, diary: Diary) -> None:
    await runner.run(commanded("temperature", MODERATOR, value=0.7), diary)
    lines = (await say(runner, diary, commanded("temperature"))).splitlines()
    heads, *bars = lines[lines.index("```") + 1 : lines.index("```", lines.index("```") + 1)]
    assert heads.split() == ["0.2", "▸0.7", "1.8"]
    assert [bar.split()[0] for bar in bars] == ["goose", "duck", "swan", "gull", "hat"]
    assert len({line.index(mark) for line, mark in ((heads, "0.2"), (bars[0], "█"))}) == 1
    assert "★" in await say(runner, diary, commanded("beams"))
    assert "★" in await say(runner, diary, commanded("beams", ADA, SERVER, "zh-CN"))


def test_the_picture_of_temperature_is_the_softmax_that_engines_use() -> None:
    for temperature in (0.2, 1.0, 1.8):
        shares = probabilities(temperature)
        assert sum(shares) == pytest.approx(1)
        assert shares[0] / shares[1] == pytest.approx(exp((LOGITS[0] - LOGITS[1]) / temperature))
    assert probabilities(0)[0] == pytest.approx(1)
