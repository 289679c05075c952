"""Prints the links that add the bot to a server, or to one person."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from adapters.registry import load
from adapters.terminal.console import ending
from bot.config.load import find_config, load_config
from bot.errors import ConfigError


def print_links(file: Path | None) -> None:
    """Ends the process with what is wrong with the configuration, in words."""
    with ending():
        token = load_config(find_config(file, os.environ), os.environ).discord.token
        if token is None:
            raise ConfigError(
                "There is no Discord bot yet: set GANDER_DISCORD_TOKEN. The README says under Discord where tokens come from."
            )
        load("discord")  # says what to install where the SDK is missing
        from adapters.discord.invite import application_of, personal_link, server_link

        application = application_of(token.get_secret_value())
        typer.echo(f"To a server: {server_link(application)}")
        typer.echo(f"For yourself, wherever you go: {personal_link(application)}")
