"""The links by which people add the bot, with exactly the rights that it uses."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from binascii import Error
from typing import Final

import discord

from bot.errors import ConfigError

NEEDED: Final = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    read_message_history=True,
    attach_files=True,
)
PORTAL: Final = "https://discord.com/developers/applications"


def server_link(application_id: int) -> str:
    """Adds the bot to a server."""
    return discord.utils.oauth_url(application_id, permissions=NEEDED, scopes=("bot", "applications.commands"))


def personal_link(application_id: int) -> str:
    """Gives its commands to one person, wherever they go."""
    return f"{discord.utils.oauth_url(application_id, scopes=('applications.commands',))}&integration_type=1"


def application_of(token: str) -> int:
    """The application's id, which a token begins with. Raises ConfigError for what is no token; never shows it."""
    first, *rest = token.split(".")
    try:
        application = urlsafe_b64decode(first + "=" * (-len(first) % 4)).decode("ascii")
    except (Error, UnicodeDecodeError):
        application = ""
    if len(rest) != 2 or not application.isdecimal():
        raise ConfigError(f"GANDER_DISCORD_TOKEN is no bot token. Copy it again: {PORTAL} → your application → Bot → Reset Token.")
    return int(application)
