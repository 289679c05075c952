"""The event loop is never blocked: a small request is served while a large picture is decoded, hashed and read from JSON."""

from __future__ import annotations

import base64
import random
import threading
from collections.abc import Iterator
from io import BytesIO

import aiohttp
import pytest
from blockbuster import blockbuster_ctx
from PIL import Image, ImageFile

from engine.images import decode as pictures
from tests.engine.serving import serving


@pytest.fixture
def _no_blocking() -> Iterator[None]:
    """Raises where our own code blocks the loop (sleep, files, locks, sockets)."""
    with blockbuster_ctx("engine"):
        yield


@pytest.mark.usefixtures("_no_blocking")
async def test_pictures_are_decoded_and_hashed_off_the_loop_s_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: dict[str, int] = {}

    def watched_load(image: ImageFile.ImageFile) -> object:
        threads["decode"] = threading.get_ident()
        return ImageFile_load(image)

    ImageFile_load = ImageFile.ImageFile.load  # noqa: N806
    monkeypatch.setattr(ImageFile.ImageFile, "load", watched_load)
    original = pictures.decode_data_url
    monkeypatch.setattr(
        "engine.server.messages.decode_data_url", lambda url, limits: threads.update(base64=threading.get_ident()) or original(url, limits)
    )
    buffer = BytesIO()
    Image.frombytes("RGB", (300, 300), random.Random(0).randbytes(300 * 300 * 3)).save(buffer, "PNG")
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()}}
    async with serving() as url, aiohttp.ClientSession() as http:
        answer = await http.post(f"{url}/v1/chat/completions", json={"messages": [{"role": "user", "content": [part]}], "stream": True})
        assert (await answer.text()).endswith("data: [DONE]\n\n")
        assert (await http.get(f"{url}/health")).status == 200
    assert set(threads) == {"decode", "base64"}
    assert threading.get_ident() not in threads.values()
