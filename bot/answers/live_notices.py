"""Keeps notices true after they were sent: places in line that `/queue` listed, what was refused since."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from time import monotonic
from typing import NoReturn

from bot.delivery.channel_queue import Notice
from bot.platform import Outgoing

LOOK_SECONDS = 2.0
FOLLOW_SECONDS = 600.0  # an answer to /queue is kept up to date for so long


@dataclass(frozen=True, slots=True)
class FollowedNotice:
    """A notice that is kept equal to what `current` returns, until that is final or `until` (monotonic seconds) has passed."""

    notice: Notice
    current: Callable[[], Awaitable[Outgoing]]
    until: float


class LiveNotices:
    """`run` updates them; the other methods may be called at any time."""

    def __init__(self) -> None:
        self._notices: dict[str, FollowedNotice] = {}  # one a person and place

    async def run(self) -> NoReturn:
        """Until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for key, followed in list(self._notices.items()):
                if not await _update(followed) and self._notices.get(key) is followed:
                    del self._notices[key]

    async def keep_updated(self, key: str, send: Callable[[Outgoing], Notice], current: Callable[[], Awaitable[Outgoing]]) -> None:
        """Send what `current` returns, and update it until it is final; a notice of the same `key` before it is updated no more."""
        first = await current()
        if before := self._notices.pop(key, None):
            before.notice.change(replace(first, final=True))
        notice = send(first)
        if not first.final:
            self.follow(key, notice, current)

    def follow(self, key: str, notice: Notice, current: Callable[[], Awaitable[Outgoing]]) -> None:
        """Keep a notice true that was sent already."""
        self._notices[key] = FollowedNotice(notice, current, monotonic() + FOLLOW_SECONDS)


async def _update(followed: FollowedNotice) -> bool:
    """Update a notice. False: it is final now, or can't be changed any more."""
    message = await followed.current()
    if monotonic() > followed.until:
        message = replace(message, final=True)
    return followed.notice.change(message) and not message.final
