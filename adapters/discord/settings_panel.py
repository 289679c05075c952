"""The settings panel: under the values with their origins a list to pick one from, and who may change them.

Nothing of it is kept in memory: the ids of its parts say all, so that it works after a restart.
"""

from __future__ import annotations

from typing import Final

import discord
from discord import ui

from bot.answer_settings import SETTINGS
from bot.texts import Texts

PICK: Final = "gander-panel:pick"
OPENING: Final = {"gander-panel:open": True, "gander-panel:close": False}


def panel(texts: Texts, language: str) -> ui.View:
    view = ui.View(timeout=None)
    options = [discord.SelectOption(label=texts.render(language, f"setting.{name}.name"), value=name) for name in SETTINGS]
    view.add_item(ui.Select(custom_id=PICK, placeholder=texts.render(language, "discord.panel_pick"), options=options))
    for identifier, opened in OPENING.items():
        label = texts.render(language, "discord.panel_open" if opened else "discord.panel_close")
        view.add_item(ui.Button(label=label, custom_id=identifier))
    view.stop()
    return view
