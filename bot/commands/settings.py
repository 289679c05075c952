"""`/settings`: every setting with its value and origin; any of them can be set here, and opened to all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from bot.answer_settings import SETTINGS, find_setting
from bot.commands.command import ANSWER, Command, Context, Option, OptionKind, Suggestion, Typing, complete_setting
from bot.commands.single_setting import CLEAR, DETAIL, SCOPE, change_or_explain, describe, lacking, name_of
from bot.engines.compatibility import PICTURES
from bot.platform import Outgoing, Panel
from bot.store.scoped_settings import Scope

NAME = Option("name", OptionKind.CHOICE, choices=tuple(SETTINGS), words="setting.{choice}.name")


def values(typing: Typing) -> Iterator[Suggestion]:
    """The usual values of the setting that was named."""
    setting = SETTINGS.get(str(typing.given.get(NAME.name, "")))
    yield from ((label, str(value)) for label, value in complete_setting(setting, typing)) if setting else ()


VALUE = Option("value", OptionKind.TEXT, complete=values)
OPEN = Option("open", OptionKind.FLAG)


async def run(context: Context) -> Outgoing:
    if OPEN.name in context.options:
        return await _open(context, bool(context.options[OPEN.name]))
    if NAME.name in context.options:
        setting = find_setting(str(context.options[NAME.name]))
        reply = await change_or_explain(context, setting, Scope.PERSON if setting.name == "language" else Scope.CHANNEL)
        chosen = bool(context.options.keys() & {VALUE.name, CLEAR.name})
        return reply if SCOPE.name in context.options else replace(reply, panel=Panel(setting=setting.name, chosen=chosen))
    found = await context.settings.effective(context.incoming.place, context.incoming.author)
    unknown = [setting for setting in SETTINGS.values() if await lacking(context, setting)]
    silent = {setting.name for setting in unknown} & {DETAIL}  # most models look at every picture alike: not worth a line
    lines = [await describe(context, each) for each in found.values() if each.setting.name not in silent]
    if names := [name_of(context, setting) for setting in unknown if setting.name not in silent]:
        lines.append(context.render("settings.lacking_all", names=", ".join(names)))
    answering = [each.health for each in await context.actions.engines() if each.health]
    if answering and all(PICTURES in health.lacks for health in answering):
        lines.append(context.render("settings.sightless"))
    reply = context.reply("\n".join([context.render("settings.title"), *lines, context.render("settings.how")]))
    return replace(reply, panel=Panel(anew=context.answer_id is not None))


async def _open(context: Context, opened: bool) -> Outgoing:
    await context.settings.open(context.incoming.place, context.incoming.author, opened)
    return context.reply(context.render("settings.opened" if opened else "settings.closed"))


COMMAND = Command("settings", run, (NAME, VALUE, SCOPE, CLEAR, OPEN, ANSWER))
