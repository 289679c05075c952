"""What stands in one message, as Discord's calls take it: words, buttons, a file; and nobody is pinged."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import discord

from adapters.discord.buttons import view_of
from adapters.discord.clickable_commands import CommandIds, clickable
from adapters.discord.markdown import code_block, defuse, furled, hide, small_print
from adapters.discord.places import NAME
from adapters.discord.settings_panel import panel
from bot.delivery.message_diff import ELLIPSIS
from bot.platform import Named, Outgoing
from bot.sanitize import shorten_to_line
from bot.texts import Texts
from bot.texts.marked_commands import show_plain

NOBODY: Final = discord.AllowedMentions.none()
FILE_NAME: Final = "answer.md"
PICTURE_NAME: Final = "picture.png"  # Discord looks at the bytes
LONGEST_ALT: Final = 200
NO_IDS: Final[CommandIds] = MappingProxyType({})


KEY: Final = re.compile(rf"\b{NAME}:\d+(?:/\d+)?\b")  # as lists of the configuration call somebody
MENTIONS: Final = {"person": "<@{id}>", "role": "<@&{id}>", "channel": "<#{id}>"}


@dataclass(frozen=True, slots=True)
class Content:
    """A message. `document`: a text that is attached as a file; `files`: others that are."""

    text: str
    view: discord.ui.View | None = None
    document: str = ""
    files: tuple[Path, ...] = ()
    spoiler: bool = False
    picture: Path | None = None  # shown small beside the text
    alt: str = ""  # what files show, for those who can't see them
    shown_already: bool = False  # the picture stands there since an earlier change

    def sent(self) -> dict[str, Any]:
        """As a new message takes it."""
        files = self._files()
        optional = ({"view": self.view} if self.view else {}) | ({"files": files} if files else {})
        # A message that may show no embeds shows not even its own.
        embeds = {"embed": _thumbnail()} if self.picture else {"suppress_embeds": True}
        return {"content": show_plain(self.text), "allowed_mentions": NOBODY, **embeds, **optional}

    def edited(self) -> dict[str, Any]:
        """As a change of a message takes it: buttons and files that are not named here go away."""
        words = {"content": show_plain(self.text), "view": self.view, "allowed_mentions": NOBODY}
        if self.picture and self.shown_already and not (self.document or self.files):
            return words
        return {**words, "attachments": self._files(), **({"embed": _thumbnail()} if self.picture else {})}

    def _files(self) -> list[discord.File]:
        """Made anew each time: a file is read once."""
        alt = shorten_to_line(self.alt, LONGEST_ALT)
        files = [discord.File(path, spoiler=self.spoiler, description=alt or path.name) for path in self.files]
        if self.picture:
            files.insert(0, discord.File(self.picture, PICTURE_NAME, description=alt or PICTURE_NAME))
        if self.document:
            file = BytesIO(self.document.encode())
            files.append(discord.File(file, FILE_NAME, spoiler=self.spoiler, description=alt or FILE_NAME))
        return files


def named(text: str, names: Iterable[Named]) -> str:
    """`text`, defused already, with those of Discord's as mentions, which show their names; the message pings nobody all the same.
    A thread is mentioned without its channel."""
    own = {each.key: MENTIONS[each.kind].format(id=re.split("[:/]", each.key)[-1]) for each in names}
    return KEY.sub(lambda key: own.get(key[0], key[0]), text)


def _thumbnail() -> discord.Embed:
    return discord.Embed().set_thumbnail(url=f"attachment://{PICTURE_NAME}")


def _told(text: str) -> str:
    """A text as it is said where no Markdown is read."""
    return show_plain(text).replace("**", "").replace("\\", "").lstrip("> ")


def content_of(message: Outgoing, texts: Texts, ids: CommandIds = NO_IDS) -> Content:
    """At most 2,000 characters where the text keeps to the limits. `ids`: of the commands that Discord knows so far."""
    text = named(defuse(message.text), message.named) if message.text.strip() else ELLIPSIS  # Discord takes no empty message
    text = furled(text) if message.picture else text  # beside its own embed a message would show each link's, too
    text = hide(text) if message.spoiler else text
    note = texts.render(message.language, "discord.whole_answer") if message.whole else ""
    folded = [hide(code_block(message.steps))] if message.steps else []
    below = [*folded, *(small_print(words) for words in (note, message.footer) if words)]
    opens = message.panel is not None and not message.panel.setting
    view = panel(texts, message.language) if opens else view_of(message, texts)
    told = "" if message.spoiler else _told(message.text)  # what is covered is not told beside it
    alt = message.alt or told or note
    return Content(clickable("\n".join([text, *below]), ids), view, message.whole, message.files, message.spoiler, message.picture, alt)
