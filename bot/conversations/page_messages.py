"""Stored messages as a page shows them after a reload: with their buttons, votes, and a sentence where there is no text."""

from __future__ import annotations

from datetime import UTC, datetime

from bot.answers.generate import answer_buttons, shown_text
from bot.answers.vote_buttons import vote_buttons
from bot.api import Remembered
from bot.steps.trace import sheet_of, trace_lines
from bot.store.history import StoredMessage
from bot.texts import Texts


def remembered(texts: Texts, message: StoredMessage) -> Remembered:
    answered, (sheet, seen) = message.role == "assistant", sheet_of(message.trace)
    return Remembered(
        id=message.id,
        parent=message.parent,
        conversation=message.conversation,
        role="assistant" if answered else "user",
        author="" if answered else message.author,
        text=shown_text(texts, message.language, message.text, message.finish) if message.language else message.text,
        pictures=message.pictures,
        at=datetime.fromtimestamp(message.at, UTC),
        message_ids=message.message_ids,
        buttons=answer_buttons(message.finish) if answered else (),
        footer=message.footer,
        pending=answered and message.finish is None,
        replies_to=message.replies_to,
        columns=message.standing.columns,
        steps=trace_lines(message.trace),
        steps_sheet=sheet,
        steps_seen=seen,
        actions=vote_buttons(message.id, message.standing, votes_open=False),
    )
