"""Builds a bot from its configuration: opens database, engines, decoders and the rest, and closes them in the opposite order."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bot.access.permissions import Access
from bot.access.policy_store import PolicyStore
from bot.access.rate_limits import PersonLimits
from bot.command_registry import COMMANDS, CommandRunner
from bot.commands.parser import parse_command
from bot.config.schema import Config
from bot.engines.client import EngineClient
from bot.engines.engine import Engine
from bot.engines.group import running_engines
from bot.engines.process import OwnEngine
from bot.event_handler import EventHandler, Resources
from bot.media.decoder_pool import MIB, Decoders
from bot.media.films import FilmFrames, can_open_films
from bot.media.intake import Intake
from bot.message import Invocation
from bot.private_file import private_folder
from bot.processes.duties import Duties
from bot.reading.reader import PictureReader, can_read
from bot.resolve_answer_settings import ScopedSettings
from bot.retention import Retention
from bot.store.database import is_sqlite, open_database, sqlite_url
from bot.store.pictures import PictureFiles
from bot.store.update_inbox import UpdateInbox
from bot.texts import Texts, load_texts


@dataclass(frozen=True, slots=True)
class Services:
    """What adapters and `gander run` use: the bot, and what was opened for it."""

    config: Config
    home: Path  # the data folder
    bot: EventHandler
    retention: Retention
    settings: ScopedSettings
    texts: Texts
    update_inbox: UpdateInbox
    duties: Duties

    def parse(self, text: str, bot_name: str | None = None) -> Invocation | None:
        """The command that `text` is, in any of our languages; None for anything else."""
        return parse_command(text, COMMANDS, self.texts, bot_name)


def picture_folder(config: Config, home: Path) -> Path:
    """Where the pictures lie: in the data folder, or in one that several bots share."""
    return config.store.pictures or home / "pictures"


@asynccontextmanager
async def open_services(config: Config, home: Path, engines: Sequence[Engine], name: str = "gander") -> AsyncIterator[Services]:
    """Open everything, for as long as the block lasts. `name` tells this bot from others on the same database."""
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    texts = load_texts()
    url = config.store.url or sqlite_url(home / "gander.db")
    database = await open_database(url)
    decoders = Decoders(config.media.decoding)
    films = FilmFrames(config.media.films) if can_open_films() else None
    reader = PictureReader(config.media.reading) if config.media.read_writing and can_read() else None
    try:
        policies = PolicyStore(database, config.access, config.limits)
        settings = ScopedSettings(database, texts, config.settings, policies)
        folder, originals = private_folder(picture_folder(config, home)), config.media.originals_mib * MIB
        files = PictureFiles(folder, home / "engine" / "pictures", originals)
        resources = Resources(
            database=database,
            files=files,
            engines=engines,
            intake=Intake(config.media.files, decoders, films),
            settings=settings,
            permissions=Access(policies),
            limits=PersonLimits(config.limits, policies),
            commands=CommandRunner(settings, policies, texts, retention_days=config.retention.days),
            texts=texts,
            exports=private_folder(home / "exports"),
            name=name,
            reader=reader,
            shares_engines=bool(config.engine.remote) and not is_sqlite(url),
            idle_seconds=config.conversation.idle_minutes * 60,
        )
        retention = Retention(database, files, home / "exports", config.retention.days)
        bot = EventHandler(resources)
        bot.demos.page = config.web.address.rstrip("/")  # another bot on the database may serve it
        bot.explainer.offered = config.web.how
        bot.explainer.page = config.web.address.rstrip("/") if config.web.enabled else ""
        yield Services(config, home, bot, retention, settings, texts, UpdateInbox(database, name), Duties(url))
    finally:
        await decoders.close()
        for worker in (films, reader):
            if worker is not None:
                await worker.close()
        await database.close()


@asynccontextmanager
async def open_engines(config: Config, home: Path, *, private: bool = False, lasting: bool = False) -> AsyncIterator[Sequence[Engine]]:
    """The engines that the configuration names, or our own, which live as long as this block. Raises EngineStartError.

    `private`: other programs of the same person do not use them, since this one may leave at any moment. `lasting`: our own are never
    given up once they have run.
    """
    key = config.engine.key.get_secret_value() if config.engine.key else None
    # As many answers at once as the engines have rows: by default a session opens a hundred connections and no more.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        if config.engine.remote:
            wanted, adapter = config.engine.wanted, config.engine.adapter
            yield [EngineClient(session, url, key, model=wanted, adapter=adapter) for url in config.engine.remote]
            return
        async with running_engines(home, config.engine, private=private, lasting=lasting) as children:
            yield [OwnEngine(session, await child.url(), child, config.engine.adapter) for child in children]
