"""A bot process for crash tests: the real core on a real store, on the chat that the test serves over loopback.

`python -m tests.end_to_end.loopback_bot HOME CHAT_URL ENGINE_URL`. Like a Telegram adapter it asks for updates and
confirms one only when the core has stored it.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from bot.access.permissions import Access
from bot.access.policy_store import PolicyStore
from bot.access.rate_limits import PersonLimits
from bot.command_registry import CommandRunner
from bot.config.schema import AccessOptions, LimitOptions
from bot.engines.client import EngineClient
from bot.errors import DeliveryError, MessageGone
from bot.event_handler import EventHandler, Resources
from bot.media.decoder_pool import Decoders, DecodingLimits
from bot.media.intake import FileLimits, Intake
from bot.message import Address, Author, Incoming, Place
from bot.platform import EditBudget, Limits, Outgoing
from bot.resolve_answer_settings import ScopedSettings
from bot.store.database import open_database, sqlite_url
from bot.store.pictures import PictureFiles
from bot.texts import load_texts

LIMITS = LimitOptions(burst=1_000, cooldown_seconds=0, questions_per_person=1_000, questions_overall=1_000)


class LoopbackChat:
    """A platform without deduplication: the harder kind."""

    name = "loopback"
    limits = Limits(text=2_000, budget=EditBudget(20, 1.0))

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self._session = session

    async def send(self, place: Place, message: Outgoing, *, reply_to: str | None, nonce: str) -> str:
        sent = await self._call("send", {"channel": place.channel, "text": message.text, "final": message.final, "reply_to": reply_to})
        return str(sent["id"])

    async def edit(self, place: Place, message_id: str, message: Outgoing) -> None:
        await self._call("edit", {"id": message_id, "text": message.text, "final": message.final})

    async def delete(self, place: Place, message_id: str) -> None:
        await self._call("delete", {"id": message_id})

    async def typing(self, place: Place) -> None: ...

    async def receive(self, core: EventHandler) -> None:
        """Until cancelled."""
        confirmed = 0
        while True:
            for update in (await self._call("updates", {"confirmed": confirmed}))["updates"]:
                await core.handle(incoming(update))
                confirmed = int(update["id"])

    async def _call(self, method: str, body: Mapping[str, object]) -> Mapping[str, Any]:
        try:
            async with self._session.post(f"/{method}", json=body) as response:
                if response.status == 404:
                    raise MessageGone("there is no such message")
                answered: Mapping[str, Any] = await response.json()
                return answered
        except aiohttp.ClientError as error:
            raise DeliveryError(str(error)) from error


def incoming(update: Mapping[str, str]) -> Incoming:
    place = Place("loopback", update["channel"])
    author = Author("loopback", update["person"], update["person"])
    return Incoming(update["id"], place, author, Address.MENTION, datetime.now(UTC), update["text"])


async def main(home: Path, chat_url: str, engine_url: str) -> None:
    database, texts, decoders = await open_database(sqlite_url(home / "gander.db")), load_texts(), Decoders(DecodingLimits())
    policies = PolicyStore(database, AccessOptions(everyone=True), LIMITS)
    settings = ScopedSettings(database, texts, {}, policies)
    async with aiohttp.ClientSession(chat_url) as chat_session, aiohttp.ClientSession() as engine_session, asyncio.TaskGroup() as tasks:
        resources = Resources(
            database=database,
            files=PictureFiles(home / "pictures"),
            engines=[EngineClient(engine_session, engine_url)],
            intake=Intake(FileLimits(), decoders),
            settings=settings,
            permissions=Access(policies),
            limits=PersonLimits(LIMITS, policies),
            commands=CommandRunner(settings, policies, texts),
            texts=texts,
            exports=home / "exports",
        )
        core, chat = EventHandler(resources), LoopbackChat(chat_session)
        core.attach(chat)
        tasks.create_task(core.run())
        tasks.create_task(chat.receive(core))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), *sys.argv[2:]))
