"""All commands in the order in which people see them, and the runner that carries one out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from bot.access.permissions import may_set_for_all
from bot.access.policy_store import PolicyStore
from bot.answer_settings import SETTINGS
from bot.commands import (
    again,
    ask,
    compare,
    demo,
    diagnose,
    forget,
    privacy,
    queue,
    reset,
    resume,
    settings,
    setup,
    single_setting,
    status,
    stop,
    vote,
)
from bot.commands import help as help_command
from bot.commands.actions import Actions
from bot.commands.command import Command, Context
from bot.commands.pictures import find, frames, how, read, steps, zoom
from bot.errors import Refusal
from bot.message import Incoming, Value
from bot.platform import Outgoing
from bot.resolve_answer_settings import ScopedSettings
from bot.texts import Texts

DECLARED: Final = (
    ask.COMMAND,
    read.COMMAND,
    frames.COMMAND,
    zoom.COMMAND,
    find.COMMAND,
    steps.COMMAND,
    how.COMMAND,
    compare.COMMAND,
    vote.COMMAND,
    again.COMMAND,
    resume.COMMAND,
    stop.COMMAND,
    single_setting.TEMPERATURE,
    single_setting.BEAMS,
    settings.COMMAND,
    single_setting.LANGUAGE,
    reset.COMMAND,
    forget.COMMAND,
    privacy.COMMAND,
    queue.COMMAND,
    demo.COMMAND,
    status.COMMAND,
    diagnose.COMMAND,
    setup.COMMAND,
    help_command.COMMAND,
)
COMMANDS: Final[Mapping[str, Command]] = {command.name: command for command in DECLARED}


class CommandRunner:
    """Carries out the commands that adapters hand over, typed or native."""

    def __init__(
        self,
        settings: ScopedSettings,
        policies: PolicyStore,
        texts: Texts,
        commands: Mapping[str, Command] = COMMANDS,
        retention_days: float = 0,
    ) -> None:
        self._settings = settings
        self._policies = policies
        self._texts = texts
        self._commands = commands
        self._retention_days = retention_days

    def is_upkeep(self, incoming: Incoming) -> bool:
        """Whether a manager of the place gives a command that works even where the bot may not answer."""
        command = self._commands.get(incoming.command.name) if incoming.command else None
        return command is not None and command.everywhere and _manages(incoming)

    def asked(self, incoming: Incoming) -> tuple[str, Mapping[str, Value]] | None:
        """The words and the settings of the question that this is; None for any other command. Raises Refusal as `run` does."""
        command = incoming.command
        if command is None:
            return incoming.text.strip(), {}
        if command.name != ask.COMMAND.name:
            return None
        given = self._read(ask.COMMAND, incoming)
        return str(given.get(ask.PROMPT.name, "")).strip(), {name: value for name, value in given.items() if name in SETTINGS}

    async def run(self, incoming: Incoming, actions: Actions) -> Outgoing | None:
        """Carry out `incoming.command`. None = an answer will follow. Raises Refusal, for an unknown command too."""
        if incoming.command is None or incoming.command.name not in self._commands:
            name = incoming.command.name if incoming.command else ""
            raise Refusal("help.unknown", topic=name[:40])
        command = self._commands[incoming.command.name]
        if command.for_managers and not _manages(incoming):
            raise Refusal("settings.not_yours_to_open")
        options = self._read(command, incoming)
        language = await self._settings.language(incoming.place, incoming.author, incoming.locale)
        texts = self._texts.on(incoming.place.platform)
        more = (self._settings, self._policies, texts, language, self._commands, self._retention_days)
        return await command.run(Context(incoming, options, actions, *more))

    def _read(self, command: Command, incoming: Incoming) -> dict[str, Value]:
        read: dict[str, Value] = {}
        for name, value in (incoming.command.options if incoming.command else {}).items():
            option = command.option(name)
            if option is None:
                raise Refusal("help.unknown_option", command=command.name, name=name[:40])
            read[name] = option.read(value, self._texts, incoming)
        return read


def _manages(incoming: Incoming) -> bool:
    return may_set_for_all(incoming.place, incoming.author, opened=False)
