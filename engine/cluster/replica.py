"""One engine of a cluster, as an actor of Ray's runs it: the same worker as `gander engine`'s, without HTTP. Knows no Ray.

Events leave in batches: sending a message through Ray costs about as much for ten tokens as for one.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from typing import Final

from engine.api import ChatRequest, Health
from engine.cluster.demand import Demand
from engine.cluster.options import ClusterOptions
from engine.cluster.resume import Batch
from engine.core.pace import Patience
from engine.core.startup import EngineOptions, build_native, load_engine, picture_folder
from engine.core.worker import Loaded, Worker
from engine.errors import EngineError, StartError
from engine.fallback.start import fallback
from engine.images.decode import Limits, quiet_pillow
from engine.images.decoded_cache import DecodedCache
from engine.logging import configure
from engine.metrics import Metrics
from engine.models.card import FALLBACK, Card
from engine.models.card_reader import read_card
from engine.paths import home, model_folder
from engine.request import Event, Request
from engine.server.app import READERS
from engine.server.health import health_of
from engine.server.requests import engine_request
from engine.weights.load_times import expected_seconds

SPREAD_SECONDS: Final = 0.02  # between two batches of one answer
CAPACITY: Final = 256


class Replica:
    """One model on one device. `run` in a task of whoever made it."""

    def __init__(
        self, card: Card, load: Callable[[], Loaded], expected: float, metrics: Metrics | None = None, patience: Patience | None = None
    ) -> None:
        self.card = card
        self.metrics = metrics or Metrics()
        self.worker = Worker(load, expected_seconds=expected, capacity=CAPACITY, metrics=self.metrics, patience=patience)
        self.demand = Demand()
        self._decoded = DecodedCache()
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")

    async def start(self) -> None:
        """Returns once the model can answer. Raises StartError where it can't be loaded."""
        self._life = asyncio.create_task(self.worker.run())
        if not await self.worker.settled():
            raise StartError(f"The model could not be loaded: {self.worker.failure}")

    async def answer(self, request: ChatRequest) -> AsyncGenerator[Batch]:
        """The answer's events; an EngineError in their place where it fails. Closing it aborts the answer."""
        try:
            read = await asyncio.get_running_loop().run_in_executor(self._readers, self._read, request)
        except EngineError as error:
            yield (error,)
            return
        async with aclosing(batched(self.worker.stream(read))) as batches:
            async for batch in batches:
                yield batch

    def look(self, bot: str, waiting: int) -> Health:
        """How it is, by its device. `waiting`: questions that this bot has in its queue."""
        self.demand.say(bot, waiting)
        return health_of(self.card, self.worker)

    async def forget(self, pictures: Sequence[str]) -> None:
        """Returns when nothing is kept of these pictures (sha256), nor of any prompt. Raises NotReadyError and OSError."""
        self._decoded.forget(pictures)
        await self.worker.forget(pictures)

    def check(self) -> None:
        """Raises EngineError where only a fresh process helps: the model is lost, or the device does not finish a step."""
        if self.worker.status == "failed" or self._life.done():
            raise (
                self.worker.death if isinstance(self.worker.death, EngineError) else StartError(f"The engine ended: {self.worker.failure}")
            )

    def _read(self, request: ChatRequest) -> Request:
        return self.worker.prepare(engine_request(request, self.card, Limits(), self._decoded.read))


async def batched(events: AsyncGenerator[Event | None], pause: float = SPREAD_SECONDS) -> AsyncGenerator[Batch]:
    """What has come since the last batch, at most one in `pause` seconds; the first at once. The last holds the error that ended it."""
    arrived: list[Event | EngineError | None] = []
    news = asyncio.Event()

    async def collect() -> None:
        try:
            async with aclosing(events):
                async for event in events:
                    arrived.append(event)
                    news.set()
        except EngineError as error:
            arrived.append(error)
        finally:
            news.set()

    collecting = asyncio.create_task(collect())
    try:
        while arrived or not collecting.done():
            await news.wait()
            news.clear()
            batch = tuple(arrived)
            arrived.clear()
            if batch:
                yield batch
            if not collecting.done():
                await asyncio.sleep(pause)
        collecting.result()
    finally:
        collecting.cancel()
        await asyncio.wait({collecting})


def replica(options: ClusterOptions) -> Replica:
    """The replica that the options ask for, on this node's GANDER_HOME. Raises ModelError."""
    quiet_pillow()
    configure(as_json=True)
    folder = model_folder(options.model).resolve()
    record = home() / "engine" / "load_seconds.json"
    card, metrics = read_card(folder), Metrics()
    chosen = EngineOptions(
        () if options.gpus else ("cpu",),
        options.quantize,
        rows=options.rows,
        tokens=options.tokens,
        memory=None if options.memory is None else int(options.memory * 1e9),
        exact=options.dtype == "float32",
        detail=None if options.detail == "auto" else options.detail,
    )
    pictures = picture_folder(home() / "engine" / "pictures", folder)
    build = fallback if card.architecture == FALLBACK else build_native
    load = functools.partial(load_engine, folder, chosen, record, pictures, metrics, build)
    return Replica(card, load, expected_seconds(record, folder), metrics)
