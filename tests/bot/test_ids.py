"""Ids as people give them: an id or a real mention is read as it is, everything else is refused, never guessed."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from adapters.discord.buttons import custom_id, pressed
from bot.answer_settings import SETTINGS, SettingKind
from bot.command_registry import COMMANDS
from bot.commands.command import ANSWER, IDS, Context, Option, OptionKind
from bot.commands.compare import _varied
from bot.errors import Refusal
from bot.ids import read_id, read_own
from bot.numbers import print_number, read_number, read_whole
from bot.platform import Button
from bot.texts import load_texts
from tests.bot.people import commanded

TEXTS = load_texts()


PLATFORMS = ("discord", "telegram", "web", "terminal")


MENTION = re.compile(r"<(?:@[!&]?|#)(.*)>")


# Words around digits, signs, mentions broken and whole, and digits of other alphabets.
LETTERS = st.sampled_from("0123456789" * 3 + "-+.,/<>@!&# ab²٣０．：\u202e")


TYPED = st.text(LETTERS, max_size=24) | st.text(max_size=24) | st.integers().map(str) | st.floats().map(str)


KINDS = st.sampled_from(sorted(IDS))


NUMERIC = [setting for setting in SETTINGS.values() if setting.kind in {SettingKind.NUMBER, SettingKind.WHOLE}]


@given(KINDS, TYPED, st.sampled_from(PLATFORMS))
@example("person", "@ann42", "telegram")
@example("person", "@fred2024", "discord")
@example("person", "9" * 38, "telegram")
@example("role", "@crew7", "discord")
@example("person", "42²", "discord")
@example("person", "-0", "telegram")
def test_an_id_is_what_was_given_and_nothing_else(kind: OptionKind, typed: str, platform: str) -> None:
    found = read_id(kind, typed, platform)
    if found is not None:
        mention = MENTION.fullmatch(typed.strip())
        assert found == (mention[1] if mention else typed.strip()).removeprefix("!").removeprefix("&")
        assert "/".join(str(int(part)) for part in found.split("/")) == found
        assert read_id(kind, found, platform) == found


@given(st.integers(0, (1 << 64) - 1))
def test_every_id_of_discord_is_accepted_and_every_mention_of_its_kind(number: int) -> None:
    for kind, mentions in {"person": ("<@{}>", "<@!{}>"), "role": ("<@&{}>",), "channel": ("<#{}>",), "server": ()}.items():
        for form in ("{}", *mentions):
            assert read_id(kind, form.format(number), "discord") == str(number)
        others = {"<@{}>", "<@!{}>", "<@&{}>", "<#{}>", "@{}", "a{}", "{}a", "{}.0", " {} {} "} - set(mentions)
        assert {read_id(kind, form.format(number, number), "discord") for form in others} == {None}


@given(st.integers(-(1 << 52) + 1, (1 << 52) - 1))
def test_every_id_of_telegram_is_accepted(number: int) -> None:
    assert read_id("person", str(number), "telegram") == str(number) == read_id("channel", str(number), "telegram")
    assert read_id("channel", f"{number}/12", "telegram") == f"{number}/12"
    assert read_id("role", str(number), "telegram") is read_id("server", str(number), "telegram") is None


@given(st.sampled_from(NUMERIC), TYPED | st.floats() | st.integers() | st.booleans())
def test_a_setting_s_value_is_kept_as_given_or_refused(setting: Any, given_value: Any) -> None:
    kept, refused = outcome(lambda: setting.parse(given_value))
    if refused is not None:
        assert TEXTS.render("en", refused.key, **refused.values)
        return
    assert setting.low <= kept <= setting.high
    assert setting.parse(print_number(kept)) == kept
    assert not isinstance(given_value, int | float) or kept == given_value


@given(TYPED | st.floats() | st.integers())
def test_a_command_s_number_is_the_one_that_was_given(given_value: Any) -> None:
    for kind, reader in ((OptionKind.NUMBER, read_number), (OptionKind.WHOLE, read_whole)):
        option = Option("slow", kind, low=0, high=3600)
        number, refused = outcome(partial(context(slow=given_value).number, option, 0))
        if refused is None:
            assert number == reader(given_value)
            assert 0 <= number <= 3600
        else:
            assert refused.key == "settings.not_a_number_in_range"


@given(TYPED | st.integers())
def test_the_id_of_an_answer_is_its_own_or_is_refused(given_value: Any) -> None:
    found, refused = outcome(lambda: context(**{ANSWER.name: given_value}).answer_id)
    if refused is None:
        assert str(found) == str(given_value)
        assert read_own(str(found)) == found
    else:
        assert refused.key == "answer.unknown"


@given(st.sampled_from(Button), st.integers(0, sys.maxsize))
def test_a_button_s_id_names_its_answer(button: Button, answer: int) -> None:
    assert pressed(custom_id(button, answer)) == (button, answer)


@given(st.text(LETTERS, max_size=24))
def test_a_button_s_id_that_is_not_ours_names_none(rest: str) -> None:
    found = pressed(f"gander:stop:{rest}")
    assert found is None or custom_id(*found) == f"gander:stop:{rest}"


@given(st.lists(st.floats(0, 2).map(lambda number: round(number, 3)), min_size=2, max_size=6, unique=True))
def test_the_values_of_a_comparison_are_those_that_were_given(values: list[float]) -> None:
    assert _varied("temperature", ",".join(map(print_number, values))).values == tuple(values)


def outcome(work: Callable[[], Any]) -> tuple[Any, Refusal | None]:
    """What came of it: a value, or why not."""
    try:
        return work(), None
    except Refusal as refused:
        return None, refused


def context(**options: Any) -> Context:
    none: Any = None
    return Context(commanded("demo"), options, none, none, none, TEXTS, "en", COMMANDS)
