"""How long a far-away browser waits for the page: `python -m tests.adapters.web.far_away`, measured by hand as machines differ.

Between browser and bot stands a relay of TCP: what is said takes half a round trip either way, and a new connection a whole one, as
its handshake does. It holds nobody to a rate, nor to what a young connection may have on its way (TCP's slow start).
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import statistics
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import structlog
from playwright.async_api import async_playwright

from tests.adapters.web.conftest import MISSING, find_browser
from tests.adapters.web.whole import served
from tests.bot.rig import ScriptedEngine

ROUND_TRIP = 0.3  # seconds
CHUNK = 65_536
USABLE = """
window.usable = new Promise((seen) => {
  const looks = new MutationObserver(() => {
    if (!document.querySelector("#composer:not([aria-busy])") || !document.querySelector("#settings-summary").textContent) return;
    looks.disconnect();
    requestAnimationFrame(() => seen(performance.now()));
  });
  looks.observe(document, { subtree: true, childList: true, attributes: true });
});
"""  # milliseconds from the navigation until the field can be written in and its settings are drawn


async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, opened: float) -> None:
    """Each chunk arrives half a round trip after it was sent, and none before the connection stands."""
    clock, sent = asyncio.get_running_loop().time, asyncio.Queue[tuple[float, bytes]]()

    async def deliver() -> None:
        while True:
            due, chunk = await sent.get()
            await asyncio.sleep(due - clock())
            if not chunk:
                return writer.close()
            writer.write(chunk)

    async with asyncio.TaskGroup() as group:
        group.create_task(deliver())
        chunk = b"first"
        while chunk:
            try:
                chunk = await reader.read(CHUNK)
            except ConnectionError:
                chunk = b""
            sent.put_nowait((max(clock(), opened) + ROUND_TRIP / 2, chunk))


@asynccontextmanager
async def relay(port: int) -> AsyncIterator[int]:
    """Its own port, while it carries to and from `port` of this machine."""

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        opened = asyncio.get_running_loop().time() + ROUND_TRIP
        back, on = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.TaskGroup() as group:
            group.create_task(carry(reader, on, opened))
            group.create_task(carry(back, writer, opened))

    async with asyncio.TaskGroup() as connections:  # which end when the browser is closed
        server = await asyncio.start_server(lambda *ends: connections.create_task(connect(*ends)) and None, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]


async def measure(visits: int) -> list[float]:
    """Milliseconds of each visit, with a cold cache, of somebody who was never there."""
    path = find_browser()
    if path is None:
        raise SystemExit(MISSING)
    async with AsyncExitStack() as stack:
        home = stack.enter_context(tempfile.TemporaryDirectory())
        url = await stack.enter_async_context(served(Path(home), ScriptedEngine(lambda _: ("Honk.",))))
        far = await stack.enter_async_context(relay(int(url.rpartition(":")[2])))
        chromium = (await stack.enter_async_context(async_playwright())).chromium
        found = []
        for _ in range(visits):
            browser = await chromium.launch(executable_path=path, args=["--no-sandbox"])
            page = await browser.new_page()
            await page.add_init_script(USABLE)
            await page.goto(f"http://127.0.0.1:{far}/")
            found.append(float(await page.evaluate("window.usable")))
            await browser.close()
        return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("visits", nargs="?", type=int, default=9)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    found = asyncio.run(measure(parser.parse_args().visits))
    print(f"{min(found):.0f} to {max(found):.0f} ms, {statistics.median(found):.0f} in the middle, of {len(found)} visits")  # noqa: T201


if __name__ == "__main__":
    main()
