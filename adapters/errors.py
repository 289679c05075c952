"""Every error the adapters raise on purpose.

BotError (bot/errors.py)
├── FileError     a file named on the command line that can't be opened
├── UsageError    an option with a value that it can't have
├── DemoError     the demo could not show what it promises
└── BenchError    the bot under measurement ended midway
"""

from __future__ import annotations

from bot.errors import BotError


class FileError(BotError):
    """A file that a person named and that can't be opened or read."""


class DemoError(BotError):
    """The demo failed at something that it promises to show."""


class UsageError(BotError):
    """An option of a command has a value that it can't have."""


class BenchError(BotError):
    """What was being measured ended midway."""
