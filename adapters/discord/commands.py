"""Registers the bot's commands with Discord: names and descriptions in every language, typed ranges, choices, suggestions."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast

import discord
from discord import app_commands
from discord.app_commands import Choice, locale_str

from adapters.discord.download import Fetch
from adapters.discord.pictures import attached
from adapters.discord.read_interaction import person_of, place_of_interaction
from adapters.discord.receive_interactions import Reception
from bot.access.policy import highest_cap
from bot.api import Bot
from bot.command_registry import COMMANDS
from bot.commands.command import Command, Completion, Option, OptionKind, Typing
from bot.config.schema import LimitOptions
from bot.message import Invocation, Value
from bot.texts import ENGLISH, Texts, choose_language, match_language

MOST_CHOICES: Final = 25
LONGEST_LABEL: Final = 100
EVERYWHERE: Final = app_commands.AppCommandContext(guild=True, dm_channel=True, private_channel=True)
BY_ANYBODY: Final = app_commands.AppInstallationType(guild=True, user=True)

NativeCommand = app_commands.Command[Any, ..., None]
Interaction = discord.Interaction[discord.Client]

SPOKEN_IN: Final = (
    discord.ChannelType.text,
    discord.ChannelType.news,
    discord.ChannelType.voice,
    discord.ChannelType.stage_voice,
    discord.ChannelType.forum,
    discord.ChannelType.media,
    discord.ChannelType.public_thread,
    discord.ChannelType.private_thread,
    discord.ChannelType.news_thread,
)


class Spoken(app_commands.Transformer):
    """A channel or thread in which something can be said: a category is none, and no rule for one would hold."""

    @property
    def type(self) -> discord.AppCommandOptionType:
        return discord.AppCommandOptionType.channel

    @property
    def channel_types(self) -> list[discord.ChannelType]:
        return list(SPOKEN_IN)

    async def transform(self, interaction: Interaction, value: Any, /) -> Any:
        return value  # an app_commands.AppCommandChannel or AppCommandThread


PLAIN: Final[dict[OptionKind, Any]] = {
    OptionKind.TEXT: str,
    OptionKind.CHOICE: str,
    OptionKind.FLAG: bool,
    OptionKind.PERSON: discord.User,
    OptionKind.ROLE: discord.Role,
    OptionKind.CHANNEL: Spoken(),
    OptionKind.SERVER: str,
    OptionKind.PICTURE: discord.Attachment,
    OptionKind.NUMBER: float,
    OptionKind.WHOLE: int,
}


class Words(app_commands.Translator):
    """The texts of the bot, for what is registered. Readers of a language that we don't speak see English."""

    def __init__(self, texts: Texts) -> None:
        self._texts = texts

    async def translate(self, string: locale_str, locale: discord.Locale, context: app_commands.TranslationContextTypes) -> str | None:
        language = match_language(locale.value)
        key = string.extras.get("key")
        return None if key is None or language in {None, ENGLISH} else self._texts.render(str(language), key)


def worded(texts: Texts, key: str) -> locale_str:
    return locale_str(texts.render(ENGLISH, key), key=key)


@dataclass(frozen=True, slots=True)
class Native:
    """Makes Discord's commands of the bot's. `limits`: of the configuration, which bound what can be typed at all."""

    bot: Bot
    texts: Texts
    reception: Reception
    fetch: Fetch
    limits: LimitOptions

    def command(self, command: Command) -> NativeCommand:
        """The command as Discord offers it."""
        options = [option for option in command.options if not option.hidden]

        async def callback(interaction: Interaction, **given: Any) -> None:
            files = [value for value in given.values() if isinstance(value, discord.Attachment)]
            await self.reception.take(interaction, Invocation(command.name, _values(given)), attached(files, self.fetch))

        # discord.py reads the options from the signature.
        callback.__signature__ = self._signature(options)  # type: ignore[attr-defined]
        app_commands.describe(**{option.name: worded(self.texts, f"option.{option.name}.description") for option in options})(callback)
        app_commands.rename(**{option.name: worded(self.texts, f"option.{option.name}.name") for option in options})(callback)
        app_commands.choices(**{option.name: self._choices(option) for option in options if option.choices})(callback)
        offered: NativeCommand = app_commands.Command(
            name=worded(self.texts, f"command.{command.name}.name"),
            description=worded(self.texts, f"command.{command.name}.description"),
            callback=callback,
            allowed_contexts=EVERYWHERE,
            allowed_installs=BY_ANYBODY,
        )
        for option in options:
            if option.complete:
                offered.autocomplete(option.name)(self._suggest(option, option.complete))
        if command.for_managers:
            offered.default_permissions = discord.Permissions(manage_channels=True)
        return offered

    def _signature(self, options: list[Option]) -> inspect.Signature:
        positional = inspect.Parameter.POSITIONAL_OR_KEYWORD
        first = inspect.Parameter("interaction", positional, annotation=Interaction)
        rest = [inspect.Parameter(option.name, positional, default=None, annotation=self._annotation(option)) for option in options]
        return inspect.Signature([first, *rest])

    def _annotation(self, option: Option) -> Any:
        kind = PLAIN[option.kind]
        if option.low is None or option.high is None:
            return kind | None
        most = highest_cap(self.limits, option.setting)
        return cast(Any, app_commands.Range)[kind, kind(option.low), kind(option.high if most is None else most)] | None

    def _choices(self, option: Option) -> list[Choice[str]]:
        words = ((worded(self.texts, option.words.format(choice=choice)), choice) for choice in option.choices[:MOST_CHOICES])
        return [Choice(name=name, value=choice) for name, choice in words]

    def _suggest(self, option: Option, complete: Completion) -> Any:  # discord.py types suggestions of words alone
        """Offers what fits what was typed, up to the person's own caps."""

        async def suggest(interaction: Interaction, typed: str | float) -> list[Choice[Any]]:
            caps = await self.bot.caps(place_of_interaction(interaction), person_of(interaction))
            given = {name: value for name, value in interaction.namespace if isinstance(value, str | int | float | bool)}
            begun = "" if typed != typed else str(typed)  # discord.py reads nothing as no number: NaN
            typing = Typing(begun, given, caps, COMMANDS, self.texts, choose_language(interaction.locale.value))
            fitting = islice(typing.fitting(complete(typing)), MOST_CHOICES)
            return [Choice(name=label[:LONGEST_LABEL], value=PLAIN[option.kind](value)) for label, value in fitting]

        return suggest


def _values(given: dict[str, Any]) -> dict[str, Value]:
    chosen = {name: value for name, value in given.items() if value is not None and not isinstance(value, discord.Attachment)}
    return {name: _id(value) if isinstance(value, discord.abc.Snowflake) else value for name, value in chosen.items()}


def _id(value: discord.abc.Snowflake) -> str:
    """As places and people are called: a thread with its channel."""
    return f"{value.parent_id}/{value.id}" if isinstance(value, app_commands.AppCommandThread) else str(value.id)
