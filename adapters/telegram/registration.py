"""Tells Telegram which commands there are, and what the bot is for, so that everyone is shown it in their language."""

from __future__ import annotations

from collections.abc import Iterator

import structlog
from telegram import (
    Bot,
    BotCommand,
    BotCommandScope,
    BotCommandScopeAllChatAdministrators,
    BotCommandScopeAllGroupChats,
    BotCommandScopeAllPrivateChats,
    BotCommandScopeDefault,
)
from telegram.error import TelegramError

from bot.command_registry import COMMANDS
from bot.texts import CHINESE, ENGLISH, Texts

# Telegram's names of our languages, of two letters: it tells no kinds of Chinese apart. The empty one is for everybody whose own we do
# not speak.
LANGUAGES = {"": ENGLISH, "en": ENGLISH, "zh": CHINESE}
SCOPES: tuple[BotCommandScope, ...] = (
    BotCommandScopeDefault(),
    BotCommandScopeAllPrivateChats(),
    BotCommandScopeAllGroupChats(),
    BotCommandScopeAllChatAdministrators(),
)

log = structlog.get_logger(__name__)


async def register(client: Bot, texts: Texts) -> None:
    """Commands work when they are not offered, too: a failure is logged."""
    try:
        for scope in SCOPES:
            for code, language in LANGUAGES.items():
                await client.set_my_commands(list(_commands(texts, language, scope)), scope, code)
        for code, language in LANGUAGES.items():
            await client.set_my_description(texts.render(language, "telegram.description"), code)
            await client.set_my_short_description(texts.render(language, "telegram.short_description"), code)
    except TelegramError as error:
        log.warning("commands could not be offered", reason=error.message)


def _commands(texts: Texts, language: str, scope: BotCommandScope) -> Iterator[BotCommand]:
    """Names are English everywhere: Telegram takes no others. They are understood in every language when typed."""
    private = isinstance(scope, BotCommandScopeAllPrivateChats)
    managers = private or isinstance(scope, BotCommandScopeAllChatAdministrators)
    for command in COMMANDS.values():
        if (managers or not command.for_managers) and not (private and command.for_groups):
            yield BotCommand(command.name, command.descriptions(texts)[language])
