"""Plugs Telegram into `gander run`."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from telegram.error import InvalidToken

from adapters.services import Services
from adapters.telegram.client import UNKNOWN_BOT, Account, signed_in
from adapters.telegram.inbox import Inbox
from adapters.telegram.people import Managers
from adapters.telegram.pictures import PictureFinder
from adapters.telegram.places import NAME
from adapters.telegram.platform import TelegramPlatform
from adapters.telegram.polling import Poller
from adapters.telegram.read_update import UpdateReader
from adapters.telegram.receive_updates import Receiver
from adapters.telegram.registration import register
from adapters.telegram.webhook import Webhook
from bot.background import beside
from bot.config.load import check_ready_for_public
from bot.config.schema import Config
from bot.errors import ConfigError
from bot.media.films import can_open_films

log = structlog.get_logger(__name__)


def check(config: Config) -> None:
    """Raises ConfigError before anything is started."""
    check_ready_for_public(config)


async def account(config: Config) -> str:
    """Who the bot is on Telegram. Raises ConfigError for a wrong token, DeliveryError where Telegram can't be reached."""
    async with signed_in(config) as signed:
        sees = signed.me.can_read_all_group_messages
        return f"@{signed.me.username}{'' if sees else ', with privacy mode: in groups it sees what is meant for it alone'}"


async def run(services: Services, opened: Callable[[str], None]) -> None:
    """Serve until cancelled. Of several bots on one database one receives updates at a time; all can answer, so that each ends what it
    began. Raises ConfigError for a wrong token, DutyLost when another bot receives."""
    async with signed_in(services.config) as account:
        texts = services.texts.on(NAME)
        pictures = PictureFinder(account.client, account.http, services.config.media.side_pixels, films=can_open_films())
        platform = TelegramPlatform(account.client, texts, pictures)
        services.bot.attach(platform)
        log.info("Telegram is connected", name=account.me.username)
        try:
            async with services.duties.holding(f"{NAME} {account.me.id}"), beside(register(account.client, texts)):
                await receive(services, account, inbox(services, account, pictures))
        except InvalidToken:
            raise ConfigError(UNKNOWN_BOT) from None
        finally:
            services.bot.detach(platform)


async def receive(services: Services, account: Account, updates: Inbox) -> None:
    """Receive updates, by polling or by webhook, until cancelled."""
    aside = await services.update_inbox.of_account(NAME, str(account.me.id))
    options, receiver = services.config.telegram, Receiver(account.client, updates, aside)
    if options.webhook_url:
        await Webhook(account.client, receiver, options).run()
    else:
        await Poller(account, receiver).run()


def inbox(services: Services, account: Account, pictures: PictureFinder) -> Inbox:
    """Make the inbox of this account."""
    reader = UpdateReader(
        me=account.me,
        files=pictures,
        managers=Managers(account.client),
        texts=services.texts.on(NAME),
        parse=services.parse,
    )
    return Inbox(services.bot, reader)
