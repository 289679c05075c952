"""Interactions as Discord's gateway tells them, for tests on the wire."""

from __future__ import annotations

from typing import Any

import discord

from tests.adapters.strict.discord.server import ANN, CHANNEL

NONE = discord.Permissions.none()


def interaction(name: str, kind: int, data: dict[str, Any], locale: str = "en-US", granted: discord.Permissions = NONE) -> dict[str, Any]:
    """Ann's, on a server where the bot is not. `granted`: what it may do there by her leave."""
    member = {
        "user": ANN,
        "roles": [],
        "joined_at": "2026-01-01T00:00:00+00:00",
        "deaf": False,
        "mute": False,
        "flags": 0,
        "permissions": "0",
    }
    channel = {"id": CHANNEL, "type": 0, "name": "geese", "guild_id": "99", "permissions": "0", "position": 0}
    where = {"guild_id": "99", "guild": {"id": "99", "features": [], "locale": "en-US"}, "channel_id": CHANNEL, "channel": channel}
    what = {"id": name, "application_id": "77", "type": kind, "token": f"token{name}", "version": 1, "data": data}
    rights = {
        "app_permissions": str(granted.value),
        "authorizing_integration_owners": {"1": "5"},
        "context": 0,
        "entitlements": [],
        "attachment_size_limit": 1,
    }
    return {**what, **where, **rights, "member": member, "locale": locale, "guild_locale": "en-US"}
