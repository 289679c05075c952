"""Updates by webhook: Telegram calls us, behind a proxy that speaks HTTPS, and gets its 200 when nothing can lose the update any more."""

from __future__ import annotations

import asyncio
import hmac
import json
from hashlib import sha256
from urllib.parse import urlsplit

import structlog
from aiohttp import web
from telegram import Bot

from adapters.requests import BODY_SECONDS, UPLOAD, bounded_bodies, same_secret, within
from adapters.telegram.inbox import ALLOWED_UPDATES
from adapters.telegram.receive_updates import NUMBER, Receiver
from bot.config.schema import TelegramOptions
from bot.errors import ConfigError
from engine.connections import BoundedRunner, Bounds

HEADER = "X-Telegram-Bot-Api-Secret-Token"
LARGEST_UPDATE = 1 << 20  # bytes
STOP_SECONDS = 60.0  # for updates that are being stored

log = structlog.get_logger(__name__)


class Webhook:
    """The server for one bot. Its secret follows from the token, so that it outlasts a restart and nobody has to keep it."""

    def __init__(self, client: Bot, receiver: Receiver, options: TelegramOptions) -> None:
        self._client = client
        self._receiver = receiver
        self._options = options
        self._secret = hmac.new(client.token.encode(), b"gander webhook", sha256).hexdigest()

    async def run(self) -> None:
        """Serve until cancelled. Raises ConfigError for a port that is taken, TelegramError for an address that Telegram refuses."""
        app = web.Application(middlewares=[bounded_bodies], client_max_size=LARGEST_UPDATE)
        app.router.add_post(urlsplit(self._options.webhook_url).path or "/", self._take, name=UPLOAD)
        runner = BoundedRunner(app, Bounds(), shutdown_timeout=STOP_SECONDS, handler_cancellation=False, unpacks=False)
        await runner.setup()
        try:
            async with self._receiver.open():
                await self._listen(runner)
                await self._client.set_webhook(self._options.webhook_url, allowed_updates=ALLOWED_UPDATES, secret_token=self._secret)
                log.info("Telegram calls", url=self._options.webhook_url, port=self._options.webhook_port)
                await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _listen(self, runner: web.AppRunner) -> None:
        host, port = self._options.webhook_host, self._options.webhook_port
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(f"telegram.webhook_port: {host}:{port} can't be opened ({error.strerror}). Choose another port.") from None

    async def _take(self, request: web.Request) -> web.Response:
        if not same_secret(request.headers.get(HEADER, ""), self._secret):
            raise web.HTTPForbidden
        try:
            update = json.loads(await within(BODY_SECONDS, request, request.read()))
        except ValueError as error:
            raise web.HTTPBadRequest from error
        if not isinstance(update, dict) or not isinstance(update.get(NUMBER), int):
            raise web.HTTPBadRequest
        await self._receiver.take(update)
        return web.Response()
