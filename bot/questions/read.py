"""Finds the picture that `/read` means, and what is written in it."""

from __future__ import annotations

from bot import conversation
from bot.errors import Refusal
from bot.message import Incoming
from bot.questions.ask import AskDependencies
from bot.questions.newest_pictures import newest_pictures
from bot.questions.which_picture import PictureFinder
from bot.reading.picture_words import PictureReading, PictureWords
from bot.store import questions


class ReadService:
    """Reads pictures for people. What was not asked about yet is read and not kept."""

    def __init__(self, parts: AskDependencies, picture_finder: PictureFinder, words: PictureWords) -> None:
        self._parts = parts
        self._picture_finder = picture_finder
        self._words = words

    async def read(self, incoming: Incoming) -> PictureReading:
        """What is written in the event's picture, in that of what it replies to, or in the conversation's. Raises Refusal."""
        database, whose = self._parts.database, incoming.author.key
        replied = await database.read(questions.replied_to, incoming)
        found = await self._picture_finder.find(incoming, "", replied=replied)
        meant = found if isinstance(found, Incoming) else self._picture_finder.about(incoming, found[-1])
        if files := conversation.attachments_meant(meant, replied):
            picture = await self._parts.intake.take(files[0], whose)
            return PictureReading(await self._words.read(picture.data, whose), files[0].spoiler)
        seen = await newest_pictures(self._parts, incoming, replied)
        if seen is None:
            raise Refusal("read.no_picture")
        words = [await self._words.of(sha256, whose) for sha256 in seen.sha256s]
        return PictureReading("\n\n".join(filter(None, words)), seen.spoiler)
