"""What stands in one message, as Discord's calls take it: words, buttons, a file; and nobody is pinged."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Final

import discord

from adapters.discord.buttons import view_of
from adapters.discord.markdown import defuse, hide, small_print
from adapters.discord.panel import panel
from bot.ports import Outgoing
from bot.streaming import ELLIPSIS
from bot.texts import Texts

NOBODY: Final = discord.AllowedMentions.none()
FILE_NAME: Final = "answer.md"


@dataclass(frozen=True, slots=True)
class Content:
    """A message. `document`: a text that is attached as a file; `files`: others that are."""

    text: str
    view: discord.ui.View | None = None
    document: str = ""
    files: tuple[Path, ...] = ()
    spoiler: bool = False

    def sent(self) -> dict[str, Any]:
        """As a new message takes it."""
        optional = ({"view": self.view} if self.view else {}) | ({"files": self._files()} if self.document or self.files else {})
        return {"content": self.text, "allowed_mentions": NOBODY, "suppress_embeds": True, **optional}

    def edited(self) -> dict[str, Any]:
        """As a change of a message takes it: buttons and files that are not named here go away."""
        return {"content": self.text, "view": self.view, "attachments": self._files(), "allowed_mentions": NOBODY}

    def _files(self) -> list[discord.File]:
        """Made anew each time: a file is read once."""
        files = [discord.File(path, spoiler=self.spoiler) for path in self.files]
        return [*files, *([discord.File(BytesIO(self.document.encode()), FILE_NAME, spoiler=self.spoiler)] if self.document else [])]


def content_of(message: Outgoing, texts: Texts) -> Content:
    """At most 2,000 characters where the text keeps to the limits."""
    text = defuse(message.text) if message.text.strip() else ELLIPSIS  # Discord takes no empty message
    text = hide(text) if message.spoiler else text
    note = texts.say(message.language, "discord.whole_answer") if message.whole else ""
    below = [small_print(words) for words in (note, message.footer) if words]
    opens = message.panel is not None and not message.panel.setting
    view = panel(texts, message.language) if opens else view_of(message, texts)
    return Content("\n".join([text, *below]), view, message.whole, message.files, message.spoiler)
