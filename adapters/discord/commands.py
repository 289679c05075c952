"""Registers the bot's commands with Discord: names and descriptions in every language, typed ranges, choices, suggestions."""

from __future__ import annotations

import inspect
from typing import Any, Final, cast

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from adapters.discord.files import Fetch
from adapters.discord.pictures import attached
from adapters.discord.reception import Reception
from bot.commands.command import Command, Option, OptionKind
from bot.contracts import Value
from bot.message import Invocation
from bot.texts import ENGLISH, Texts, match_language

MOST_CHOICES: Final = 25
EVERYWHERE: Final = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
BY_ANYBODY: Final = app_commands.AppInstallationType(guild=True, user=True)
PLAIN: Final[dict[OptionKind, Any]] = {
    OptionKind.TEXT: str,
    OptionKind.CHOICE: str,
    OptionKind.FLAG: bool,
    OptionKind.PERSON: discord.User,
    OptionKind.ROLE: discord.Role,
    OptionKind.CHANNEL: app_commands.AppCommandChannel | app_commands.AppCommandThread,
    OptionKind.PICTURE: discord.Attachment,
    OptionKind.NUMBER: float,
    OptionKind.WHOLE: int,
}

NativeCommand = app_commands.Command[Any, ..., None]
Interaction = discord.Interaction[discord.Client]


class Words(app_commands.Translator):
    """The texts of the bot, for what is registered. Readers of a language that we don't speak see English."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def translate(self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes) -> str | None:
        language = match_language(locale.value)
        key = string.extras.get("key")
        return None if key is None or language in {None, ENGLISH} else self._texts.say(str(language), key)


def worded(texts: Texts, key: str) -> locale_str:
    return locale_str(texts.say(ENGLISH, key), key=key)


def native(command: Command, texts: Texts, reception: Reception, fetch: Fetch) -> NativeCommand:
    """The command as Discord offers it."""
    options = [option for option in command.options if not option.hidden]

    async def callback(interaction: Interaction, **given: Any) -> None:
        files = [value for value in given.values() if isinstance(value, discord.Attachment)]
        await reception.take(interaction, Invocation(command.name, _values(given)), attached(files, fetch))

    # discord.py reads the options from the signature.
    callback.__signature__ = _signature(options)  # type: ignore[attr-defined]
    app_commands.describe(**{option.name: worded(texts, f"option.{option.name}.description") for option in options})(callback)
    app_commands.rename(**{option.name: worded(texts, f"option.{option.name}.name") for option in options})(callback)
    app_commands.choices(**{option.name: _choices(option, texts) for option in options if option.choices})(callback)
    app_commands.autocomplete(**{option.name: _suggest(option) for option in options if option.suggestions})(callback)
    offered: NativeCommand = app_commands.Command(
        name=worded(texts, f"command.{command.name}.name"),
        description=worded(texts, f"command.{command.name}.description"),
        callback=callback,
        allowed_contexts=EVERYWHERE,
        allowed_installs=BY_ANYBODY,
    )
    if command.for_managers:
        offered.default_permissions = discord.Permissions(manage_channels=True)
    return offered


def _values(given: dict[str, Any]) -> dict[str, Value]:
    chosen = {name: value for name, value in given.items() if value is not None and not isinstance(value, discord.Attachment)}
    return {name: str(value.id) if isinstance(value, discord.abc.Snowflake) else value for name, value in chosen.items()}


def _signature(options: list[Option]) -> inspect.Signature:
    positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
    first = inspect.Parameter("interaction", positional, annotation=Interaction)
    rest = [inspect.Parameter(option.name, positional, default=None, annotation=_annotation(option)) for option in options]
    return inspect.Signature([first, *rest])


def _annotation(option: Option) -> Any:
    kind = PLAIN[option.kind]
    if option.low is None or option.high is None:
        return kind | None
    return cast(Any, app_commands.Range)[kind, kind(option.low), kind(option.high)] | None


def _choices(option: Option, texts: Texts) -> list[Choice[str]]:
    return [Choice(name=worded(texts, option.words.format(choice=choice)), value=choice) for choice in option.choices[:MOST_CHOICES]]


def _suggest(option: Option) -> Any:  # discord.py types suggestions of words alone
    """Offers the usual values that begin as what was typed."""
    kind = PLAIN[option.kind]

    async def suggest(interaction: Interaction, typed: str) -> list[Choice[float]]:
        fitting = [value for value in option.suggestions if f"{value:g}".startswith(str(typed).strip())]
        return [Choice(name=f"{value:g}", value=kind(value)) for value in fitting]

    return suggest
