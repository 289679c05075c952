"""Every command that takes a model fetches one that is not there: from a hub on loopback, in one go up to what it is for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from tests.engine.hub.loopback_hub import Hub, running
from tests.engine.models.pretrained.repositories import store

LIMIT = 300  # seconds, against hangs: the first start of a new home compiles the processor's decode step


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    """A tiny LLaVA with random weights, as a repository."""
    folder = store("llava", tmp_path_factory.mktemp("llava")).folder
    with running(Hub({path.name: path.read_bytes() for path in folder.iterdir()}, parameters=100_000)) as server:
        yield server


def environment(hub: Hub, home: Path) -> dict[str, str]:
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower() and not name.startswith("HF_")}
    return clean | {"HF_ENDPOINT": hub.url, "HF_HUB_CACHE": str(home / "cache"), "GANDER_HOME": str(home), "NO_COLOR": "1"}


def said(hub: Hub, home: Path, *arguments: str, until: str = "") -> str:
    """What the command writes, up to `until`, at which it is asked to stop; it must end well."""
    heard = []
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "adapters", *arguments, "--model", "gander/tiny"],
        env=environment(hub, home),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("Hello\n" if arguments[0] == "chat" else "")
        process.stdin.close()
        for line in process.stdout:
            heard.append(line)
            if until and until in line:
                process.send_signal(signal.SIGINT)
        assert process.wait(LIMIT) in {0, -signal.SIGINT, 128 + signal.SIGINT}, "".join(heard)
    return "".join(heard)


@pytest.mark.sweep
@pytest.mark.timeout(LIMIT)
@pytest.mark.parametrize(
    ("arguments", "until"),
    [
        (("ask", "PICTURE", "What is this?", "--max-tokens", "5"), ""),
        (("chat",), ""),
        (("bench", "--scenario", "one", "--rounds", "1", "--tokens", "4", "--quantize", "none"), ""),
        (("engine", "--port", "0"), "listens on"),
        (("run",), "dispatcher_started"),
    ],
    ids=lambda given: given[0] if isinstance(given, tuple) else "",
)
def test_a_model_that_is_not_here_is_fetched_and_used(hub: Hub, tmp_path: Path, arguments: tuple[str, ...], until: str) -> None:
    Image.new("RGB", (64, 48), "red").save(tmp_path / "red.png")
    hub.requests.clear()
    words = said(hub, tmp_path, *(str(tmp_path / "red.png") if word == "PICTURE" else word for word in arguments), until=until)
    assert any(path.endswith("/model.safetensors") for method, path, _ in hub.requests if method == "GET"), words
    before = words.index("gander/tiny at ")
    assert before < words.index("To fetch: ") < words.index("Ready: ")
    assert not until or until in words[words.index("Ready: ") :]
    assert "Traceback" not in words
