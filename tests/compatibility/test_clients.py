"""Clients of other people's making ask the real pocket model. `make compatibility` installs them, in an environment of their own."""

from __future__ import annotations

import asyncio
import base64
import functools
import json
import os
import sys
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw

from engine.core.startup import EngineOptions, load_engine
from engine.models.card_reader import read_card
from tests.engine.serving import serving

CLIENTS = Path(__file__).parent / "clients"
ENVIRONMENT = Path(os.environ.get("GANDER_CLIENTS", "build/clients")).resolve()

pytestmark = [
    pytest.mark.compatibility,
    pytest.mark.skipif(not (ENVIRONMENT / "venv").exists(), reason="the clients are not installed: `make compatibility` does that"),
]


@pytest_asyncio.fixture
async def url(pocket_folder: Path, tmp_path: Path) -> AsyncIterator[str]:
    load = functools.partial(load_engine, pocket_folder, EngineOptions(("cpu",), rows=4), tmp_path / "seconds.json")
    async with serving(load, card=read_card(pocket_folder)) as served:
        yield served


def red() -> bytes:
    """A PNG of a red circle."""
    buffer = BytesIO()
    picture = Image.new("RGB", (300, 300), "white")
    ImageDraw.Draw(picture).ellipse((60, 60, 240, 240), fill="red")
    picture.save(buffer, "PNG")
    return buffer.getvalue()


async def output(*command: str | Path) -> str:
    """Raises AssertionError with what it said where it fails."""
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    said, complained = await process.communicate()
    assert process.returncode == 0, complained.decode()[-3000:]
    return said.decode()


PROGRAMS = ["ask_litellm.py", "ask_langchain.py", "ask_pydantic_ai.py", "ask_openai.mjs", "ask_ai.mjs"]


@pytest.mark.parametrize("program", PROGRAMS)
async def test_a_library_asks_and_understands(program: str, url: str) -> None:
    """Whole and streamed the same, a picture, JSON, and a conversation that is too long, each as far as the library has it."""
    if program.endswith(".py"):
        command = [ENVIRONMENT / "venv" / "bin" / "python", CLIENTS / program]
    else:  # Node looks for packages beside the program
        copy = ENVIRONMENT / "node" / program
        copy.write_bytes((CLIENTS / program).read_bytes())
        command = [Path("node"), copy]
    picture = "data:image/png;base64," + base64.b64encode(red()).decode()
    found = json.loads((await output(*command, url, picture)).splitlines()[-1])
    for kind in ("", "_responses"):
        if f"text{kind}" in found:
            assert found[f"text{kind}"] == found[f"stream{kind}"] != ""
            assert "red" in found[f"picture{kind}"].lower()
    if "json" in found:
        assert isinstance(json.loads(found["json"]), dict)
    assert found.get("full", True)  # told by its own name for it


async def test_llm_asks_and_shows(url: str, tmp_path: Path) -> None:
    picture = tmp_path / "red.png"
    picture.write_bytes(red())
    whole, streamed, shown, _ = (await output("bash", CLIENTS / "ask_llm.sh", url, picture, ENVIRONMENT / "venv" / "bin" / "llm")).split(
        "\f"
    )
    assert whole.strip() == streamed.strip() != ""
    assert "red" in shown.lower()


async def test_curl_streams(url: str) -> None:
    body = json.dumps({"messages": [{"role": "user", "content": "Hello!"}], "stream": True, "max_tokens": 5})
    said = await output("curl", "-sN", f"{url}/v1/chat/completions", "-H", "Content-Type: application/json", "-d", body)
    assert said.startswith("data: {")
    assert said.endswith("data: [DONE]\n\n")


def test_python_is_the_suites_own() -> None:
    """The clients' environment must not be this one, or their pins would be ours."""
    assert not Path(sys.prefix).is_relative_to(ENVIRONMENT)
