"""A bot that polls the strict server, with a listener in the place of the bot; and what the operator reads of it."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import AsyncIterator, Iterator

import pytest
import structlog

from bot.config.logging import configure_logs
from bot.config.schema import LoggingOptions
from tests.adapters.strict.telegram.server import TOKEN
from tests.adapters.telegram.rig import Connected, connected


@pytest.fixture
async def telegram() -> AsyncIterator[Connected]:
    async with connected() as telegram:
        yield telegram


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """What the operator sees, at the usual level."""
    stream, root = io.StringIO(), logging.getLogger()
    handlers, level = root.handlers[:], root.level
    configure_logs(LoggingOptions(), (TOKEN,), stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def port() -> int:
    """A free one, for a webhook."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
