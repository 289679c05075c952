"""A question whose author changed it: while it waits, the new text is asked; an answer that was just begun begins again with it."""

from __future__ import annotations

from collections.abc import Mapping
from time import time

from bot import conversation
from bot.dispatch.dispatcher import Dispatcher
from bot.errors import Refusal
from bot.message import Incoming, Picture, Value
from bot.questions.ask import AskDependencies, new_answer
from bot.store import questions
from bot.store.questions import Submission


class EditService:
    """Takes the edits of stored questions."""

    def __init__(self, parts: AskDependencies, dispatcher: Dispatcher) -> None:
        self._parts = parts
        self._dispatcher = dispatcher

    async def edit(self, incoming: Incoming, text: str, request: Mapping[str, Value]) -> None:
        """Ask `text` instead. Changes nothing where the message is not stored, was answered a while ago, or was replied to since."""
        quoted = None
        if incoming.reply_to and text:
            replied = await self._parts.database.read(questions.replied_to, incoming)
            text, quoted = conversation.with_quote(text, incoming.reply_to, stored=replied is not None)
        resolved = await self._parts.settings.resolve(incoming.place, incoming.author, request, incoming.locale)
        picture = await self._new_picture(incoming)
        submission = Submission(incoming, self._parts.name, time(), known=True, admit=None)
        answer = new_answer(text, 1, resolved)
        replaced = await self._parts.database.write(questions.edit_question, submission, text, quoted, picture, answer)
        self._dispatcher.drop(replaced, incoming.place)

    async def _new_picture(self, incoming: Incoming) -> Picture | None:
        """The other picture that the message of an open question shows now; None: the same one.

        Raises Refusal for a file that is no picture, and for a question about several pictures.
        """
        known = await self._parts.database.read(questions.pictures_of_open, incoming.place.key, incoming.id)
        if not (known and len(incoming.attachments) == 1):
            return None
        picture = await self._parts.intake.take(incoming.attachments[0], incoming.author.key)
        if picture.sha256 in known:
            return None
        if len(known) > 1:
            raise Refusal("picture.of_album")
        await self._parts.files.save_with_original(picture)
        return picture
