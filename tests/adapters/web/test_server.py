"""The page's server finds a port, does not wait for open pages, and shows itself to other machines with a password alone."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from adapters.web import adapter
from adapters.web.hub import Hubs
from adapters.web.platform import WebPlatform
from adapters.web.server import application, check_exposure, serving
from bot.errors import ConfigError
from tests.adapters.conformance import Listener
from tests.adapters.web.browserless import Visitor, page_server
from tests.adapters.web.whole import served
from tests.bot.rig import ScriptedEngine, echo
from tests.engine.test_http_routes import routes_of, told


async def test_a_busy_port_takes_the_next() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        async with serving(web.Application(), "127.0.0.1", port) as url:
            assert int(url.rpartition(":")[2]) > port


async def test_a_stop_does_not_wait_for_open_pages(bot: Listener, hubs: Hubs) -> None:
    async with aiohttp.ClientSession() as http:
        async with page_server(bot, WebPlatform(hubs), hubs) as url:
            visitor = Visitor(url)
            await visitor.session()
            stream = await visitor.http.get(f"{url}/api/events")
        assert (await stream.content.read()).startswith(b":")
        await visitor.http.close()
        with pytest.raises(aiohttp.ClientConnectorError):
            await http.get(url)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.4", "gander.example"])  # noqa: S104
def test_other_machines_need_a_password(host: str) -> None:
    with pytest.raises(ConfigError, match="GANDER_WEB_PASSWORD"):
        check_exposure(host, None)
    check_exposure(host, "honk")


def test_this_machine_needs_none() -> None:
    for host in ("127.0.0.1", "localhost", "::1"):
        check_exposure(host, None)


async def test_the_page_s_document_has_each_of_its_routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the page as it is run, with every part that has addresses."""
    made = list[web.Application]()

    def noted(*parts: Any, **more: Any) -> web.Application:
        made.append(application(*parts, **more))
        return made[-1]

    monkeypatch.setattr(adapter, "application", noted)
    async with served(tmp_path, ScriptedEngine(echo)) as url:
        assert await told(url) == routes_of(made[0])
        assert ("get", "/wall/{code}") in routes_of(made[0])
        assert ("get", "/metrics") in routes_of(made[0])
