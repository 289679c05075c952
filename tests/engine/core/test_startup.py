"""Where and how a served model runs: over several devices, in a chosen form, as an older card would; always the same answer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from engine.core.startup import EngineOptions, load_engine
from engine.errors import EngineError, ModelError, StartError
from engine.images.decode import Limits, decode_picture
from engine.models.card import Generation
from engine.prompts.turn import Turn
from engine.request import Done, Event, Request, TextDelta
from engine.weights.loader import load
from tests.engine.weights.release_files import GOLDEN, golden_sources, imported

GREEDY = Generation(temperature=0.0, top_k=0, top_p=1.0, max_tokens=12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("models") / "v0"
    imported(golden_sources("v0"), out)
    return out


def answer(folder: Path, options: EngineOptions, record: Path) -> tuple[str, str]:
    """The device and the text."""
    picture = decode_picture((GOLDEN / "tiny-v0" / "a.png").read_bytes(), Limits())
    request = Request((Turn("user", (picture, "What is in this picture?")),), GREEDY)
    loaded = load_engine(folder, options, record)
    assert loaded.memory() > 0
    events: list[Event | EngineError] = []
    loaded.engine.add(request, events.append)
    while loaded.engine.step():
        pass
    assert isinstance(events[-1], Done)
    return loaded.device, "".join(event.text for event in events if isinstance(event, TextDelta))


def test_an_older_cards_path_and_a_split_give_the_plain_answer(folder: Path, tmp_path: Path) -> None:
    record = tmp_path / "seconds.json"
    device, plain = answer(folder, EngineOptions(("cpu",)), record)
    assert device == "cpu"
    assert answer(folder, EngineOptions(("cpu",), capability=(7, 5)), record) == ("cpu", plain)
    assert answer(folder, EngineOptions(("cpu", "cpu")), record) == ("cpu, cpu", plain)


def test_weights_are_quantised_while_they_are_loaded(folder: Path, tmp_path: Path) -> None:
    for mode, bits in (("int8", "torch.int8"), ("4bit", "torch.uint8")):
        model = load(folder, quantize="int8" if mode == "int8" else "4bit")
        assert str(model.language_model.model.layers[0].get_parameter("self_attn.qkv_proj.weight").dtype) == bits
        assert answer(folder, EngineOptions(("cpu",), "int8" if mode == "int8" else "4bit"), tmp_path / "seconds.json")[1]


def test_a_device_that_is_not_here_is_named(folder: Path, tmp_path: Path) -> None:
    for name in ("banana", "cuda:99"):
        with pytest.raises(StartError, match=f"no device '{name}' here. torch sees cpu"):
            load_engine(folder, EngineOptions((name,)), tmp_path / "seconds.json")


def test_more_tokens_than_memory_holds_name_the_options(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="fewer --tokens"):
        load_engine(folder, EngineOptions(("cpu",), tokens=10**13), tmp_path / "seconds.json")


def test_a_small_model_is_not_split(folder: Path, tmp_path: Path) -> None:
    card = (folder / "gander.json").read_text().replace('"minigpt4"', '"pocket"')
    (tmp_path / "gander.json").write_text(card)
    with pytest.raises(ModelError, match="runs on one device"):
        load_engine(tmp_path, EngineOptions(("cpu", "cpu")), tmp_path / "seconds.json")


# Each costs a start a second or more, and none of them computes anything for a model of ours on a CPU.
HEAVY = {"transformers", "torch._dynamo", "torch._inductor", "torch.distributed.tensor", "sympy", "triton", "pandas", "scipy", "matplotlib"}
SERVED = """
import json, sys
from pathlib import Path
from PIL import Image
from engine.__main__ import app
from engine.core.startup import EngineOptions, load_engine
from engine.images.decode import Picture
from engine.models.card import Generation
from engine.prompts.turn import Turn
from engine.request import Done, Request

for folder in sys.argv[2:]:
    loaded, events = load_engine(Path(folder), EngineOptions(("cpu",)), Path(sys.argv[1])), []
    picture = Picture(Image.new("RGB", (60, 40), "red"), folder)
    loaded.engine.add(loaded.prepare(Request((Turn("user", (picture, "What is it?")),), Generation(max_tokens=3))), events.append)
    while loaded.engine.step():
        pass
    assert isinstance(events[-1], Done), events
print(json.dumps(sorted(sys.modules)))
"""


def test_an_engine_on_a_cpu_imports_nothing_heavy(folder: Path, pocket_folder: Path, tmp_path: Path) -> None:
    """In a process of its own: the pocket model and MiniGPT-4 are loaded, and each answers a question about a picture."""
    command = [sys.executable, "-c", SERVED, str(tmp_path / "seconds.json"), str(pocket_folder), str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=500).stdout
    imported = set(json.loads(output.splitlines()[-1]))
    assert {"torch", "numba", "engine.models.minigpt4.qformer", "engine.models.pocket.qformer"} <= imported
    assert not imported & HEAVY
