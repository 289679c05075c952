"""The links that add the bot ask for the rights that it uses, and for no other."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from urllib.parse import parse_qs, urlsplit

import discord
from typer.testing import CliRunner

from adapters.cli.discord_commands import app
from adapters.discord.invite import NEEDED

TOKEN = f"{urlsafe_b64encode(b'123456789012345678').decode().rstrip('=')}.abc.def"


def test_invite_asks_for_exactly_what_is_needed() -> None:
    shown = CliRunner().invoke(app, ["invite"], env={"GANDER_DISCORD_TOKEN": TOKEN})
    server, personal = (parse_qs(urlsplit(line.split(": ", 1)[1]).query) for line in shown.output.splitlines())
    assert server["client_id"] == personal["client_id"] == ["123456789012345678"]
    assert discord.Permissions(int(server["permissions"][0])) == NEEDED
    assert server["scope"] == ["bot applications.commands"]
    assert personal["integration_type"] == ["1"]
