"""Our own loop over getUpdates: an update is confirmed when nothing can lose it any more, never before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NoReturn

import structlog
from telegram.error import Conflict, InvalidToken, NetworkError, RetryAfter, TelegramError

from adapters.telegram.client import UNKNOWN_BOT, Account
from adapters.telegram.errors import seconds_of
from adapters.telegram.inbox import ALLOWED_UPDATES
from adapters.telegram.receive_updates import NUMBER, Raw, Receiver
from bot.backoff import listed_pause
from bot.errors import ConfigError

POLL_SECONDS = 50  # how long Telegram holds a request while there is no news
PAUSES_SECONDS = (1.0, 2.0, 5.0, 15.0, 30.0)  # before each attempt in a row
CONFLICT_SECONDS = 10.0

log = structlog.get_logger(__name__)


class Poller:
    """Fetches updates and gives each to the receiver, all of a batch at once."""

    def __init__(self, account: Account, receiver: Receiver, poll_seconds: int = POLL_SECONDS) -> None:
        self._account = account
        self._receiver = receiver
        self._poll_seconds = poll_seconds
        self._offset = 0  # the first update that is not confirmed
        self._failures = 0

    async def run(self) -> NoReturn:
        """Poll until cancelled. Raises what the store raises, and ConfigError for a token that is refused."""
        await self._account.client.delete_webhook()  # which would take the updates away from us
        async with self._receiver.open():
            while True:
                updates = await self._fetch()
                await asyncio.gather(*map(self._receiver.take, updates))
                self._offset = max([self._offset, *(update[NUMBER] + 1 for update in updates)])

    async def _fetch(self) -> Sequence[Raw]:
        """Fetch the updates that are not confirmed yet; asking confirms those before."""
        try:
            await self._account.client.get_updates(self._offset, timeout=self._poll_seconds, allowed_updates=ALLOWED_UPDATES)
        except InvalidToken:
            raise ConfigError(UNKNOWN_BOT) from None
        except TelegramError as error:
            await self._wait_after(error)
            return ()
        self._failures = 0
        return self._account.updates.batch

    async def _wait_after(self, error: TelegramError) -> None:
        pause = listed_pause(self._failures, PAUSES_SECONDS)
        if isinstance(error, RetryAfter):
            pause = seconds_of(error.retry_after)
        if isinstance(error, Conflict):
            pause = CONFLICT_SECONDS
            if self._failures == 0:
                log.error("another program polls with this bot's token, or a webhook is set: stop it, or give this bot a token of its own")
        elif self._failures == 0:
            said = "Telegram can't be reached; trying again" if isinstance(error, NetworkError) else "Telegram tells no news; trying again"
            log.warning(said, reason=error.message)
        self._failures += 1
        await asyncio.sleep(pause)
