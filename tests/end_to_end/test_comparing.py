"""Comparisons and how answers came about, with a real engine and a real, tiny MiniGPT-4 behind the real core."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from prometheus_client.parser import text_string_to_metric_families

from adapters.run import running
from adapters.services import Services, open_services
from bot.config.schema import Config, EngineOptions
from bot.engines.client import EngineClient
from bot.engines.group import running_engines
from bot.message import Address, Author, Incoming, Place
from bot.platform import EditBudget, Limits, Outgoing
from engine.api import ChatRequest, Chunk
from tests.adapters.web.whole import drawing
from tests.bot.rig import UNHURRIED, Chat, attachment

PLACE = Place("web", "ann", private=True)
ANN = Author("web", "ann", "Ann", manages=True)
LIMITS = Limits(text=4_000, budget=EditBudget(1_000, 1.0), shows_explanations=True)
CONFIG = Config.model_validate({"limits": UNHURRIED.model_dump(), "settings": {"max_new_tokens": 8}, "media": {"read_writing": False}})


@dataclass
class Alone:
    """One person with a whole bot and a real engine. `pictures`: what its /metrics says of cache hits and misses."""

    services: Services
    chat: Chat
    pictures: Callable[[], Awaitable[dict[str, float]]]

    async def ask(self, name: str, text: str) -> Outgoing:
        """Ask with a picture; the finished answer."""
        said = Incoming(name, PLACE, ANN, Address.PRIVATE, datetime.now(UTC), text, (attachment(drawing()),))
        command = self.services.parse(text)
        await self.services.bot.handle(replace(said, command=command, address=Address.COMMAND) if command else said)
        async with asyncio.timeout(100):
            while not (found := [each for each in self.chat.messages.values() if each.final and each.answer_id]):  # noqa: ASYNC110 - polled
                await asyncio.sleep(0.05)
        self.chat.messages.clear()
        return found[0]


class Seeded(EngineClient):
    """Draws the same words each time: of any words that the tiny model could say, few would tell more."""

    def stream(self, request: ChatRequest, request_id: str | None = None) -> AsyncGenerator[Chunk]:
        return super().stream(request.model_copy(update={"seed": 13}), request_id)


def letters(text: str) -> str:
    """A text without its spaces: the tiny model says pieces of characters, around which they are a matter of taste."""
    return "".join(text.split())


@asynccontextmanager
async def alone(engine_home: Path, home: Path) -> AsyncIterator[Alone]:
    async with running_engines(engine_home, EngineOptions(model="tiny")) as (child,), aiohttp.ClientSession() as session:
        url = await child.url()

        async def pictures() -> dict[str, float]:
            async with session.get(f"{url}/metrics", headers={"Authorization": f"Bearer {child.key}"}) as response:
                families = text_string_to_metric_families(await response.text())
            found = [sample for family in families for sample in family.samples if sample.name == "gander_pictures_total"]
            return {"".join(sample.labels.values()): sample.value for sample in found}

        async with open_services(CONFIG, home, [Seeded(session, url, child.key)]) as services, running(services):
            chat = Chat(limits=LIMITS)
            services.bot.attach(chat)
            yield Alone(services, chat, pictures)


async def test_a_comparison_s_picture_is_encoded_once_and_answers_tell_how_they_came_about(tiny_home: Path, tmp_path: Path) -> None:
    async with alone(tiny_home, tmp_path) as ann:
        compared = await ann.ask("m1", "/compare temperature:0,0.7,1.5 what is it?")
        assert [column.label for column in compared.columns] == ["temperature 0", "temperature 0.7", "temperature 1.5"]
        assert (await ann.pictures())["miss"] == 1
        await ann.ask("m2", "/compare beams:1,3 what is it?")
        assert (await ann.pictures())["miss"] == 1
        sampled = await ann.ask("m3", "/ask what is it? temperature:0.7")
        told = ann.services.bot.explanation(PLACE, sampled.answer_id or 0)
        assert told is not None
        assert letters("".join(token.token for token in told.choices)).startswith(letters(sampled.text)[:4])
        assert all(len(token.top_logprobs) > 1 for token in told.choices)
        beamed = await ann.ask("m4", "/ask what is it? beams:3")
        told = ann.services.bot.explanation(PLACE, beamed.answer_id or 0)
        assert told is not None
        assert [letters(node.text) for node in told.beams if node.choice == 0] == [letters(beamed.text)]
        assert all(node.parent is None or told.beams[node.parent].step == node.step - 1 for node in told.beams)
