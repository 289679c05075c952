"""Finds the picture that a question without one is about: one just shown by the asker or by whom they reply to, or a thread's first."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.answer_settings import VariedSetting
from bot.conversation import points_at_picture
from bot.errors import Refusal
from bot.message import Incoming, Reply, Value
from bot.platform import Action, Outgoing
from bot.questions.contact_sheet import ContactSheets
from bot.questions.recent_pictures import RecentPicture, RecentPictures
from bot.sanitize import safe_name
from bot.store import graph
from bot.store.database import Database
from bot.store.graph import SHARED, Node
from bot.texts import Texts

OFFERS: Final = 500  # choices that are remembered
MOST_CHOICES: Final = 5  # Discord's buttons in a row


@dataclass(frozen=True, slots=True)
class PictureChoice:
    """A question that waits for its picture to be chosen."""

    incoming: Incoming
    question: str
    request: Mapping[str, Value]
    varied: VariedSetting | None
    choices: tuple[RecentPicture, ...]
    look: Mapping[str, Any] | None = None  # MessageRow.look

    @property
    def people(self) -> frozenset[str]:
        """The keys of all whose words and pictures it holds."""
        reply = self.incoming.reply_to
        others = (reply.author, reply.quoted) if reply else ()
        return frozenset(each.key for each in (self.incoming.author, *others, *(shown.author for shown in self.choices)) if each)


class PictureFinder:
    """Finds pictures, and remembers which choices it offered. A restart forgets them: then people have to ask again."""

    def __init__(self, database: Database, recent_pictures: RecentPictures, sheets: ContactSheets, texts: Texts) -> None:
        self._database = database
        self._sheets = sheets
        self._recent_pictures = recent_pictures
        self._texts = texts
        self._offers: OrderedDict[str, PictureChoice] = OrderedDict()

    async def find(self, incoming: Incoming, question: str, *, replied: Node | None) -> Incoming | tuple[RecentPicture, ...]:
        """The question in reply to the picture that it means, or as it is; or several pictures that it could mean.

        `replied`: the stored message that it replies to.
        """
        if incoming.attachments or incoming.edited or replied is not None or _names_picture(incoming.reply_to):
            return incoming
        people = {incoming.author.key} | ({incoming.reply_to.author.key} if incoming.reply_to and incoming.reply_to.author else set())
        found = self._recent_pictures.recent(incoming, people) if points_at_picture(question) else []
        if len(found) > 1:
            return tuple(found[-MOST_CHOICES:])
        if found:
            return self.about(incoming, found[0])
        return replace(await self._in_thread(incoming, question), newer=self._recent_pictures.newer(incoming))

    def about(self, incoming: Incoming, shown: RecentPicture) -> Incoming:
        """The question as a reply to this picture. It still quotes the message that it replied to."""
        self._recent_pictures.mark(incoming.place.key, shown.message_id)
        said = incoming.reply_to
        reply = shown.reply()
        if said is not None:
            reply = replace(reply, quote=said.quote or said.words, quoted=said.quoted or said.author)
        return replace(incoming, reply_to=reply)

    async def offer(self, language: str, waiting: PictureChoice) -> Outgoing:
        """A message that asks which picture is meant: it shows them in one, with a button for each."""
        token = secrets.token_hex(6)
        sheet = await self._sheets.make(token, waiting.choices, waiting.incoming.author.key)
        self._offers[token] = waiting
        while len(self._offers) > OFFERS:
            self._withdraw(next(iter(self._offers)))
        labels = [self._label(language, number, each, waiting) for number, each in enumerate(waiting.choices, start=1)]
        actions = tuple(Action(label, f"/ask pick:{token}.{number}") for number, label in enumerate(labels))
        shown = (sheet,) if sheet else ()
        text = self._texts.render(language, "ask.which")
        return Outgoing(text, actions=actions, language=language, private=True, files=shown, alt="\n".join(labels) if sheet else "")

    def chosen(self, incoming: Incoming, name: str) -> tuple[Incoming, PictureChoice]:
        """What was asked, about the picture that was chosen. Raises Refusal for what is not offered, or to somebody else."""
        token, _, number = name.partition(".")
        waiting = self._offers.get(token)
        if waiting is None or not number.isascii() or not number.isdigit() or int(number) >= len(waiting.choices):
            raise Refusal("ask.choice_gone")
        if waiting.incoming.author.key != incoming.author.key:
            raise Refusal("answer.not_yours")
        self._withdraw(token)
        asked = replace(incoming, reply_to=waiting.incoming.reply_to)
        return self.about(asked, waiting.choices[int(number)]), waiting

    def forget(self, person: str) -> None:
        """Drop the recent pictures of this person (key), and the choices that hold words or pictures of theirs."""
        self._recent_pictures.forget(person)
        for token in [token for token, each in self._offers.items() if person in each.people]:
            self._withdraw(token)

    def _withdraw(self, token: str) -> None:
        del self._offers[token]
        self._sheets.delete(token)

    async def _in_thread(self, incoming: Incoming, question: str) -> Incoming:
        """The question as a reply to the message that its thread began with, if it is the first one there."""
        if incoming.starter is None:
            return incoming
        if incoming.place.thread:
            begun = await self._database.read(graph.newest, incoming.place.key, SHARED, 0.0) is not None
        else:
            begun = not points_at_picture(question)
        starter = None if begun else await incoming.starter()
        return replace(incoming, reply_to=starter) if starter else incoming

    def _label(self, language: str, number: int, shown: RecentPicture, waiting: PictureChoice) -> str:
        seconds = max(round(waiting.incoming.sent_at.timestamp() - shown.at), 0)
        return self._texts.render(language, "ask.choice", number=number, name=safe_name(shown.author.name), seconds=seconds)


def _names_picture(reply: Reply | None) -> bool:
    """Whether the message that is replied to shows pictures, or is an answer about one."""
    return reply is not None and (reply.is_ours or bool(reply.attachments))
