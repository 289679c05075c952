"""Plugs the page into `gander run`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import structlog

from adapters.services import Services
from adapters.web.conversations import ConversationPages
from adapters.web.header_view import engine_view
from adapters.web.how import HowPages
from adapters.web.hub import Hubs
from adapters.web.metrics import MetricsPage
from adapters.web.pages import Pages, UploadLimits
from adapters.web.platform import WebPlatform
from adapters.web.security import Sessions
from adapters.web.server import application, check_exposure, serving
from adapters.web.visitors import Proxies
from adapters.web.walls import WallPages
from adapters.web.welcome import WelcomePages
from bot.answers.explanations import Explanation
from bot.background import beside
from bot.config.schema import Config
from bot.engines.engine import EngineState
from bot.message import Author, Invocation, Place, Value
from bot.resolve_answer_settings import ResolvedSettings
from bot.store.conversations import Listed

NEWS_SECONDS = 1.0  # between two looks at the engines, for the pages' headers

log = structlog.get_logger(__name__)


def check(config: Config) -> None:
    """Raises ConfigError before anything is started."""
    check_exposure(config.web.host, password_of(config))


async def account(config: Config) -> str:
    """The page needs no account anywhere."""
    return "the page"


async def run(services: Services, opened: Callable[[str], None]) -> None:
    """Serve until cancelled. `opened` is told the page's address.

    Of several bots on one database one serves the page at a time: what a person's pages show is kept in its memory.
    """
    async with services.duties.holding("the page"), page(services) as url:
        log.info("the page is open", url=url)
        opened(url)
        await asyncio.Event().wait()


@asynccontextmanager
async def page(services: Services) -> AsyncIterator[str]:
    """The page is served inside this block; gives its address."""
    options = services.config.web
    hubs, limits = Hubs(), UploadLimits(file_bytes=services.config.media.files.size)
    sessions = Sessions(password_of(services.config), Proxies(options.trusted_proxies, options.address))
    platform = WebPlatform(hubs)
    walls = WallPages(services.bot.walls, services.bot.demos.export, services.bot.explainer, services.texts)
    metrics = MetricsPage(services.bot.measure, services.update_inbox.unreadable, password_of(services.config))
    rooms = (ConversationPages(services.bot.conversations, hubs, sessions), WelcomePages(services.texts, sessions), metrics)
    how = HowPages(services.bot.explainer, sessions, services.texts)
    app = application(Pages(services.bot, Nearby(services), hubs, sessions, limits), hubs, sessions, limits, walls, (*rooms, how))
    async with serving(app, options.host, options.port) as url:
        services.bot.attach(platform)
        try:
            async with beside(tell_about_engines(services, hubs)):
                services.bot.demos.page = options.address.rstrip("/") or url
                yield url
        finally:
            services.bot.detach(platform)


async def tell_about_engines(services: Services, hubs: Hubs) -> None:
    """Keep the headers of all open pages true, until cancelled."""
    told: Mapping[str, Any] = {}
    while True:
        news = engine_view(await services.bot.actions.engines())
        if news != told:
            hubs.publish_to_all("engine", news)
            told = news
        await asyncio.sleep(NEWS_SECONDS)


def password_of(config: Config) -> str | None:
    return config.web.password.get_secret_value() if config.web.password else None


class Nearby:
    """about.Surroundings, from the services."""

    def __init__(self, services: Services) -> None:
        self._house = services

    @property
    def caps(self) -> Mapping[str, float]:
        return self._house.config.limits.caps

    def parse(self, text: str) -> Invocation | None:
        return self._house.parse(text)

    def explanation(self, place: Place, answer: int) -> Explanation | None:
        return self._house.bot.explanation(place, answer)

    async def conversations(self, place: Place, count: int) -> Sequence[Listed]:
        return await self._house.bot.conversations.find(place, "", None, count)

    def explainable(self, answer: int) -> bool:
        return self._house.bot.explainer.token(answer) is not None

    async def engines(self) -> tuple[EngineState, ...]:
        return await self._house.bot.actions.engines()

    async def resolve(self, place: Place, author: Author, request: Mapping[str, Value], locale: str | None) -> ResolvedSettings:
        return await self._house.settings.resolve(place, author, request, locale)
