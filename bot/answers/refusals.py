"""Says why something was refused. Who is too fast where others read along is told so in one message, which then counts the rest.

Every command ends with words; but a reply to each of twenty would bury the group's talk and spend the few messages a minute
that its platform allows, and a reaction says neither why nor how long to wait. So the first reply is changed: one edit in a
while tells of all that was left out since, and costs nobody a message.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import Final

from bot.answers.live_notices import LiveNotices
from bot.delivery.replies import Replies, address_to_author, only_author_sees
from bot.errors import Refusal
from bot.message import Incoming
from bot.platform import Outgoing
from bot.resolve_answer_settings import ScopedSettings
from bot.texts import Texts

TOO_FAST: Final = frozenset({"limits.too_fast", "limits.too_soon"})
COUNTING_SECONDS: Final = 30.0  # after the last one: later the message stands too far above to be looked at
LONGEST_SECONDS: Final = 300.0  # that one message counts


@dataclass(slots=True)
class OpenRefusal:
    """A message that tells one person in one place to be slower, as long as it counts."""

    message: Outgoing
    until: float  # on the clock, as what follows
    longest: float
    left_out: int = 0


class Refusals:
    """One bot's refusals."""

    def __init__(
        self, texts: Texts, settings: ScopedSettings, replies: Replies, live_notices: LiveNotices, clock: Callable[[], float] = monotonic
    ) -> None:
        self._texts = texts
        self._settings = settings
        self._replies = replies
        self._live_notices = live_notices
        self._clock = clock
        self._open: dict[str, OpenRefusal] = {}  # by place and person

    def counts(self, incoming: Incoming, refusal: Refusal) -> bool:
        """Whether this can be told without a message of its own."""
        return refusal.key in TOO_FAST and not incoming.unseen

    async def say(self, incoming: Incoming, refusal: Refusal) -> None:
        """Say why something was refused, to the person who caused it."""
        message = await self._words(incoming, refusal)
        if not self.counts(incoming, refusal):
            await self._replies.send(incoming, message)
            return
        key, now = f"{incoming.place.key} {incoming.author.key}", self._clock()
        opened = self._open.get(key)
        if opened and now < opened.until:
            opened.message, opened.left_out = message, opened.left_out + 1
            opened.until = min(now + COUNTING_SECONDS, opened.longest)
        else:
            opened = OpenRefusal(message, now + COUNTING_SECONDS, now + LONGEST_SECONDS)
            self._open = {other: each for other, each in self._open.items() if now < each.until} | {key: opened}
            await self._begin(incoming, opened)

    async def _begin(self, incoming: Incoming, opened: OpenRefusal) -> None:
        async def current() -> Outgoing:
            return replace(self._counted(incoming, opened), final=self._clock() >= opened.until)

        if notice := await self._replies.send(incoming, replace(opened.message, final=False)):
            self._live_notices.follow(f"refusal {incoming.key}", notice, current)

    def _counted(self, incoming: Incoming, opened: OpenRefusal) -> Outgoing:
        if not opened.left_out:
            return opened.message
        language, texts = opened.message.language, self._texts.on(incoming.place.platform)
        more = texts.render(language, "limits.left_out", count=opened.left_out)
        return replace(opened.message, text=f"{opened.message.text} {more}")

    async def _words(self, incoming: Incoming, refusal: Refusal) -> Outgoing:
        language = await self._settings.language(incoming.place, incoming.author, incoming.locale)
        text = self._texts.on(incoming.place.platform).render(language, refusal.key, **refusal.values)
        message = Outgoing(text, private=True, language=language)
        return address_to_author(incoming, message, private=only_author_sees(incoming))
