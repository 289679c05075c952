"""Our own loop over getUpdates: an update is confirmed when it is stored, never before, so that a kill loses none."""

from __future__ import annotations

import asyncio
from typing import NoReturn

import structlog
from telegram import Bot, Update
from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter

from adapters.telegram.failures import seconds_of
from adapters.telegram.inbox import ALLOWED_UPDATES, Inbox

POLL_SECONDS = 50  # how long Telegram holds a request while there is no news
BUSY_SECONDS = 0.25  # between two looks while earlier updates are still being stored: so long a slow one may hold up others
PAUSES_SECONDS = (1.0, 2.0, 5.0, 15.0, 30.0)  # before each attempt in a row
CONFLICT_SECONDS = 10.0

log = structlog.get_logger(__name__)


class Poller:
    """Fetches updates and gives each to the inbox. One that is slow to store holds up nobody but its own chat."""

    def __init__(self, client: Bot, inbox: Inbox, poll_seconds: int = POLL_SECONDS) -> None:
        self._client = client
        self._inbox = inbox
        self._poll_seconds = poll_seconds
        self._offset = 0  # the first update that is not confirmed
        self._open: dict[int, asyncio.Task[None]] = {}  # taken on and not stored yet
        self._stored: set[int] = set()  # behind one that is still open
        self._failures = 0

    async def run(self) -> NoReturn:
        """Until cancelled. Raises what storing raises, and InvalidToken."""
        await self._client.delete_webhook()  # which would take the updates away from us
        async with asyncio.TaskGroup() as tasks:
            while True:
                for update in await self._fetch():
                    if update.update_id not in self._open and update.update_id not in self._stored:
                        self._open[update.update_id] = tasks.create_task(self._inbox.take(update))
                if self._open:
                    await asyncio.wait(self._open.values(), timeout=BUSY_SECONDS)
                self._confirm()

    async def _fetch(self) -> tuple[Update, ...]:
        """What is not confirmed yet; what came before is confirmed by asking."""
        try:
            seconds = 0 if self._open else self._poll_seconds
            updates = await self._client.get_updates(self._offset, timeout=seconds, allowed_updates=ALLOWED_UPDATES)
        except InvalidToken:
            raise
        except (Conflict, NetworkError, RetryAfter) as error:
            await self._wait_after(error)
            return ()
        self._failures = 0
        return updates

    def _confirm(self) -> None:
        """Move the offset over everything that is stored, up to the first update that is not."""
        for number in [number for number, task in self._open.items() if task.done()]:
            del self._open[number]
            self._stored.add(number)
        if self._stored:
            self._offset = max(self._offset, min(self._open, default=max(self._stored) + 1))
            self._stored = {number for number in self._stored if number >= self._offset}

    async def _wait_after(self, error: Conflict | NetworkError | RetryAfter) -> None:
        pause = PAUSES_SECONDS[min(self._failures, len(PAUSES_SECONDS) - 1)]
        if isinstance(error, RetryAfter):
            pause = seconds_of(error.retry_after)
        if isinstance(error, Conflict):
            pause = CONFLICT_SECONDS
            if self._failures == 0:
                log.error("another program polls with this bot's token, or a webhook is set: stop it, or give this bot a token of its own")
        elif self._failures == 0:
            log.warning("Telegram can't be reached; trying again", reason=error.message)
        self._failures += 1
        await asyncio.sleep(pause)
