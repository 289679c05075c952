"""`/compare`: one question answered with several values of a setting, side by side, to show what the setting does."""

from __future__ import annotations

from bot.answer_settings import SETTINGS, SettingKind, VariedSetting, find_setting
from bot.commands.ask import IMAGE, PROMPT, check_something_asked
from bot.commands.command import Command, Context, Option, OptionKind
from bot.errors import Refusal
from bot.platform import Outgoing

FEWEST, MOST = 2, 6  # columns
COMPARABLE = tuple(
    Option(name, OptionKind.TEXT)
    for name, setting in SETTINGS.items()
    if setting.wire and setting.kind in {SettingKind.NUMBER, SettingKind.WHOLE}
)


async def run(context: Context) -> Outgoing | None:
    given = [option.name for option in COMPARABLE if option.name in context.options]
    if len(given) != 1:
        raise Refusal("compare.which")
    varied = _varied(given[0], str(context.options[given[0]]))
    question = str(context.options.get(PROMPT.name, "")).strip()
    check_something_asked(context.incoming, question)
    await context.actions.compare(context.incoming, question, varied)
    return None


def _varied(name: str, text: str) -> VariedSetting:
    setting = find_setting(name)
    parts = text.replace("，", ",").replace("、", ",").split(",")
    values = tuple(dict.fromkeys(setting.parse(part.strip()) for part in parts if part.strip()))
    if not FEWEST <= len(values) <= MOST:
        raise Refusal("compare.how_many", low=FEWEST, high=MOST, name=name)
    return VariedSetting(name, values)


COMMAND = Command("compare", run, (PROMPT, IMAGE, *COMPARABLE))
