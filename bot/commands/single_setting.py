"""The commands of single settings: explain a value, set it for a scope, clear it."""

from __future__ import annotations

from typing import Final

from bot.answer_settings import DETAILS, SETTINGS, Setting, SettingKind
from bot.commands.command import Command, Context, Option, OptionKind, setting_option
from bot.commands.setting_drawings import drawing
from bot.message import Value
from bot.platform import Outgoing
from bot.resolve_answer_settings import Effective, Origin, shown
from bot.sanitize import shorten_to_line
from bot.store.scoped_settings import Scope

SCOPES = {"me": Scope.PERSON, "channel": Scope.CHANNEL, "server": Scope.SERVER}
SCOPE = Option("scope", OptionKind.CHOICE, choices=tuple(SCOPES), words="choice.scope.{choice}")
CLEAR = Option("clear", OptionKind.FLAG)
DETAIL: Final = "detail"
SHOWN_LENGTH = 100  # characters of a system prompt that are shown in a list


def setting_command(name: str, usual: Scope = Scope.CHANNEL) -> Command:
    """The command of one setting. `usual`: the scope it is set for when none is given."""

    async def run(context: Context) -> Outgoing:
        return await change_or_explain(context, SETTINGS[name], usual)

    return Command(name, run, (setting_option(SETTINGS[name], "value"), SCOPE, CLEAR))


async def change_or_explain(context: Context, setting: Setting, usual: Scope = Scope.CHANNEL) -> Outgoing:
    """Set the setting to a given value, clear it with `clear`, explain it with neither."""
    if context.options.get(CLEAR.name):
        return await _clear(context, setting, await _scope(context, usual))
    if "value" in context.options:
        return await _put(context, setting, await _scope(context, usual), context.options["value"])
    return context.reply(await _explain(context, setting))


async def describe(context: Context, found: Effective) -> str:
    """A setting's value and its origin, in one line."""
    setting, value, origin = found.setting, found.value, str(found.origin)
    if value is None and setting.name == "language":
        value, origin = context.language, "locale"
    elif value is None and setting.name == DETAIL:
        value, origin = await finest_detail(context), "operator"
    elif value is None:
        value = await _model_value(context, setting)
    name = name_of(context, setting)
    if value is None:
        return context.render("settings.model_decides", name=name)
    line = context.render("settings.line", name=name, value=words_of(context, setting, value), origin=context.render(f"origin.{origin}"))
    if setting.name == DETAIL and (finest := await finest_detail(context)) and DETAILS.index(str(value)) > DETAILS.index(finest):
        return f"{line} {context.render('settings.detail_capped', limit=words_of(context, setting, finest))}"
    return line if found.cap is None else f"{line} {context.render('settings.capped', limit=found.cap)}"


async def finest_detail(context: Context) -> str | None:
    """How closely the engines' operator lets pictures be looked at; None where they leave no choice."""
    healths = [engine.health for engine in await context.actions.engines() if engine.health]
    return max((health.picture_detail for health in healths if health.picture_detail in DETAILS), key=DETAILS.index, default=None)


def name_of(context: Context, setting: Setting) -> str:
    return context.render(f"setting.{setting.name}.name")


def words_of(context: Context, setting: Setting, value: Value) -> str:
    if setting.kind is SettingKind.CHOICE:
        return context.render(f"choice.{setting.name}.{value}")
    return shorten_to_line(shown(value), SHOWN_LENGTH)


async def _explain(context: Context, setting: Setting) -> str:
    found = (await context.settings.effective(context.incoming.place, context.incoming.author))[setting.name]
    value = found.value if found.value is not None else await _model_value(context, setting)
    lines = [context.render(f"setting.{setting.name}.explanation"), *drawing(context, setting, value), await describe(context, found)]
    if setting.kind in {SettingKind.NUMBER, SettingKind.WHOLE}:
        caps = await context.settings.caps(context.incoming.place, context.incoming.author)
        lines.append(context.render("settings.range", low=setting.low, high=caps.get(setting.name, setting.high)))
    return "\n".join([*lines, *await _lacking(context, setting)])


async def lacking(context: Context, setting: Setting) -> bool:
    """Whether no engine that answers here supports this setting."""
    answering = [engine.health for engine in await context.actions.engines() if engine.health]
    if setting.name == DETAIL:  # other servers, which lack something, don't say
        return bool(answering) and not any(health.picture_detail or health.lacks for health in answering)
    return bool(answering and setting.wire) and all(setting.wire in health.lacks for health in answering)


async def _lacking(context: Context, setting: Setting) -> list[str]:
    """A sentence that says so; empty where one does."""
    return [context.render("settings.lacking", name=name_of(context, setting))] if await lacking(context, setting) else []


async def _put(context: Context, setting: Setting, scope: Scope, value: Value) -> Outgoing:
    place, author = context.incoming.place, context.incoming.author
    kept = await context.settings.put(place, author, scope, setting.name, value)
    shown_value = words_of(context, setting, kept)
    lines = [
        context.render("settings.set", name=name_of(context, setting), value=shown_value, scope=context.render(f"settings.for.{scope}"))
    ]
    found = (await context.settings.effective(place, author))[setting.name]
    if scope is not Scope.PERSON and found.origin is Origin.PERSON and found.value is not None:
        lines.append(context.render("settings.yours_goes_first", value=words_of(context, setting, found.value)))
    return context.reply("\n".join([*lines, *await _lacking(context, setting)]))


async def _clear(context: Context, setting: Setting, scope: Scope) -> Outgoing:
    place, author = context.incoming.place, context.incoming.author
    had = await context.settings.clear(place, author, scope, setting.name)
    key = "settings.cleared" if had else "settings.was_clear"
    done = context.render(key, name=name_of(context, setting), scope=context.render(f"settings.for.{scope}"))
    found = (await context.settings.effective(place, author))[setting.name]
    return context.reply(f"{done}\n{await describe(context, found)}")


async def _scope(context: Context, usual: Scope) -> Scope:
    """The scope that was named; else the usual one, or one's own where the usual one is not this person's to set."""
    if SCOPE.name in context.options:
        return SCOPES[str(context.options[SCOPE.name])]
    may = await context.settings.may_set(context.incoming.place, context.incoming.author, usual)
    return usual if may else Scope.PERSON


async def _model_value(context: Context, setting: Setting) -> Value | None:
    """The model's own default, where an engine says."""
    for engine in await context.actions.engines() if setting.wire else ():
        if engine.health is not None and setting.wire in engine.health.defaults:
            return engine.health.defaults[setting.wire]
    return None


TEMPERATURE: Final = setting_command("temperature")
BEAMS: Final = setting_command("beams")
LANGUAGE: Final = setting_command("language", usual=Scope.PERSON)
