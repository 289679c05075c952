"""A chat with a platform's limits, in memory: it keeps when each question was taken, first answered and answered for good."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count
from time import monotonic

from bot.delivery.message_diff import ELLIPSIS
from bot.message import Place
from bot.platform import EditBudget, Limits, Outgoing

NAME = "discord"
LIMITS = Limits(text=2_000, budget=EditBudget(edits=5, seconds=5.0), deduplicates=True)  # what Discord allows in a channel
IN_LINE = ("You are next", "You are number")


@dataclass(slots=True)
class Asked:
    """One question; times on the steady clock, None = not yet. `answers` counts messages that replied to it."""

    at: float
    acknowledged: float | None = None
    first_words: float | None = None
    final: float | None = None
    answers: int = 0
    refused: bool = False
    words: str = ""  # of the refusal


@dataclass
class LoadChat:
    """bot.platform.Platform."""

    name: str = NAME
    limits: Limits = LIMITS
    questions: dict[str, Asked] = field(default_factory=dict)  # by the id of the person's message
    finals: dict[str, str] = field(default_factory=dict)  # the newest finished answer to a person's message: what can be replied to
    _replies: dict[str, str] = field(default_factory=dict)  # our message → the question that it replied to
    _ids: count[int] = field(default_factory=lambda: count(1))
    _sent: dict[str, str] = field(default_factory=dict)  # by nonce

    @property
    def owes(self) -> bool:
        """Whether somebody still waits for an answer."""
        return any(asked.final is None and not asked.refused for asked in self.questions.values())

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        if nonce in self._sent:
            return self._sent[nonce]
        message_id = self._sent[nonce] = f"b{next(self._ids)}"
        if reply_to in self.questions:
            self._replies[message_id] = reply_to
            self.questions[reply_to].answers += 1
            self._saw(reply_to, message_id, message)
        return message_id

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        if question := self._replies.get(message_id):
            self._saw(question, message_id, message)

    async def delete(self, place: Place, message_id: str) -> None: ...

    async def typing(self, place: Place) -> None: ...

    def _saw(self, question: str, message_id: str, message: Outgoing) -> None:
        asked, now = self.questions[question], monotonic()
        if message.answer_id is None:
            asked.refused, asked.words = True, message.text
            return
        if asked.first_words is None and message.text != ELLIPSIS and not message.text.startswith(IN_LINE):
            asked.first_words = now
        if asked.final is None and message.final and message.text != ELLIPSIS:
            asked.final = now
            self.finals[question] = message_id
