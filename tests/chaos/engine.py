"""An engine for crash tests: it answers "Answer n to …" word by word, and for a while has no memory whenever it gets SIGUSR1.

`python -m tests.chaos.engine PORT`. Killed and stopped it is from outside.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import suppress
from time import monotonic

from aiohttp import web

from adapters.bench.stand_in_engine import streamed
from engine.api import ChatRequest, ErrorBody, ErrorDetail, Health
from tests.end_to_end.stand_in_engine import answer

ROWS, SECONDS_PER_WORD = 8, 0.02
FULL_SECONDS = 4.0
NO_MEMORY = ErrorBody(error=ErrorDetail(message="The device has no memory left for this request.", type="server_error"))


class Engine:
    """Its routes, and until when its device is full."""

    def __init__(self) -> None:
        self.full_until = 0.0
        self.asked = 0

    def fill(self) -> None:
        self.full_until = monotonic() + FULL_SECONDS

    async def complete(self, request: web.Request) -> web.StreamResponse:
        asked = ChatRequest.model_validate_json(await request.read())
        self.asked += 1
        if self._full and self.asked % 2:  # half of them before the first word, …
            return web.Response(status=500, text=NO_MEMORY.model_dump_json(), content_type="application/json")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        with suppress(ConnectionResetError):  # the bot was killed
            async for event in streamed(answer(asked), SECONDS_PER_WORD):
                if self._full:  # … and half after some
                    await response.write(f"data: {NO_MEMORY.model_dump_json()}\n\n".encode())
                    return response
                await response.write(event)
        return response

    async def health(self, request: web.Request) -> web.Response:
        state = Health(status="ready", model="stand-in", device="none", memory_bytes=0, rows=ROWS)
        return web.Response(text=state.model_dump_json(), content_type="application/json")

    @property
    def _full(self) -> bool:
        return monotonic() < self.full_until


async def main(port: int) -> None:
    """Until killed."""
    engine = Engine()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, engine.fill)
    application = web.Application(client_max_size=64_000_000)
    application.add_routes([web.post("/v1/chat/completions", engine.complete), web.get("/health", engine.health)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
