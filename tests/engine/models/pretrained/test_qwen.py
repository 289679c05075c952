"""Qwen's pictures: scaled within a budget, cut as the makers' own processor cuts them."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from engine.core.offline import OfflineEngine
from engine.errors import ModelError
from engine.evaluation.comparison import Comparison
from engine.film_frames import frame_label
from engine.images.decode import Picture
from engine.layers.modes import Quantization
from engine.models.base import EncodedPicture, VisionLanguageModel
from engine.models.card import Generation
from engine.models.detail import PIXELS, pixel_budget
from engine.models.pretrained.qwen import QwenModel
from engine.prompts.context import PictureTokens
from engine.prompts.turn import Turn
from engine.request import Done, Request, TextDelta
from engine.weights import loader
from engine.weights.loader import load
from tests.engine.models.pretrained.repositories import Repository, picture, store


@pytest.fixture(scope="module", params=["qwen2_5_vl", "qwen3_vl"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> QwenModel:
    loaded = load(store(request.param, tmp_path_factory.mktemp(request.param)).folder, torch.device("cpu"), exact=True)
    assert isinstance(loaded, QwenModel)
    return loaded


@pytest.mark.parametrize(("width", "height"), [(96, 64), (640, 480), (20, 300)])
def test_a_picture_is_cut_as_by_its_processor(model: QwenModel, width: int, height: int) -> None:
    shown = picture(width, height)
    [ready] = model.prepare([shown])
    assert model.prepare([ready]) == [ready]
    wanted = model.process(shown)
    assert [1, ready.height // model.side * 2, ready.width // model.side * 2] == wanted["image_grid_thw"][0].tolist()
    assert torch.equal(
        model.cut(torch.frombuffer(bytearray(ready.tobytes()), dtype=torch.uint8).view(ready.height, ready.width, 3)),
        wanted["pixel_values"],
    )


def test_a_budget_bounds_the_tokens(model: QwenModel) -> None:
    model.max_pixels, former = 30 * model.side**2, model.max_pixels
    [encoded] = model.encode([picture(900, 700)])
    model.max_pixels = former
    [whole] = model.encode([picture(900, 700)])
    assert len(encoded.embeddings) <= 30 < len(whole.embeddings) <= 64
    assert encoded.grid is not None
    assert len(encoded.embeddings) == encoded.grid[0] * encoded.grid[1]


@pytest.mark.parametrize("size", [(1, 3000), (3000, 1), (1, 1)])
def test_no_shape_is_too_thin(model: QwenModel, size: tuple[int, int]) -> None:
    [encoded] = model.encode([picture(*size)])
    assert bool(encoded.embeddings.isfinite().all())


def test_a_budget_leaves_room_for_words() -> None:
    assert pixel_budget("high", 16_384, 32) == PIXELS["high"]
    assert pixel_budget("high", 2_048, 32) == 1_024 * 32 * 32


def test_a_picture_in_another_resolution_is_another_one_to_the_prefix_cache() -> None:
    coarse, fine = (PictureTokens("sha", EncodedPicture(torch.empty(4, 1), grid=grid)) for grid in ((2, 2), (1, 4)))
    assert set(coarse.keys).isdisjoint(fine.keys)


def greedy(model: VisionLanguageModel) -> list[int]:
    return Comparison(model, [Picture(picture(96, 64), "sha")]).ask("What is this?", None).greedy_token_ids


def test_layers_split_over_devices_change_no_token(model: QwenModel, tmp_path: Path) -> None:
    cpu = torch.device("cpu")
    split = load(store(model.card.architecture, tmp_path).folder, cpu, exact=True, others=[cpu])
    assert len(split.language_model.shard_sizes) == 2
    assert greedy(split) == greedy(model)


@pytest.mark.parametrize("mode", ["int8", "4bit"])
def test_quantised_it_answers_with_picture_rows_as_they_were(model: QwenModel, mode: Quantization, tmp_path: Path) -> None:
    """Eyes stay unquantised; what is said may differ by the rounding alone."""
    quantised = load(store(model.card.architecture, tmp_path).folder, torch.device("cpu"), quantize=mode)
    assert quantised.card.quantization == mode
    assert greedy(quantised)
    [ours], [exact] = quantised.encode([picture(96, 64)]), model.encode([picture(96, 64)])
    assert (ours.embeddings.float() - exact.embeddings).norm() < 0.1 * exact.embeddings.norm()


def test_what_main_memory_has_no_room_for_is_refused_before_it_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The system would kill the process without a word."""
    monkeypatch.setattr(loader, "main_memory", lambda: 1_000_000)
    with pytest.raises(ModelError, match=r"takes 0\.\d GB of memory in q4_1, and 0\.0 GB are free\. Choose a smaller model"):
        loader.load(store("qwen3_vl", tmp_path).folder, torch.device("cpu"))


def test_a_load_by_default_looks_closely_only_where_that_is_quick(tmp_path: Path) -> None:
    folder = store("qwen3_vl", tmp_path).folder
    loaded, close = load(folder, torch.device("cpu")), load(folder, torch.device("cpu"), detail="high")
    assert isinstance(loaded, QwenModel)
    assert isinstance(close, QwenModel)
    assert loaded.max_pixels == PIXELS["low"]
    assert close.max_pixels == 1024 * close.side**2  # half of the window


def video(repository: Repository, seconds: list[float], question: str) -> Any:
    """What transformers' model takes of a film in which each frame stands twice: the prompt by its makers' own code, and their patches of
    two frames. Their video processor itself wants torchvision, and scales; here the frames have their size."""
    processor = repository.processor
    processor.video_processor = SimpleNamespace(merge_size=2, temporal_patch_size=2)
    seen = processor.image_processor(images=[picture(96, 64, seed) for seed in range(len(seconds))], return_tensors="pt")
    grid = torch.tensor([[len(seconds), *seen["image_grid_thw"][0, 1:].tolist()]])
    times = SimpleNamespace(fps=2.0, frames_indices=[*chain(*([round(2 * each)] * 2 for each in seconds))])
    shown = processor.replace_video_token({"video_grid_thw": grid, "video_metadata": [times]}, 0)
    prompt = f"<|im_start|>user\n{shown}{question}<|im_end|>\n<|im_start|>assistant\n"
    ids = processor.tokenizer(prompt, return_tensors="pt", add_special_tokens=False)["input_ids"]
    kinds = (ids == processor.tokenizer.convert_tokens_to_ids("<|video_pad|>")).long() * 2
    return {"input_ids": ids, "mm_token_type_ids": kinds, "pixel_values_videos": seen["pixel_values"], "video_grid_thw": grid}


def test_a_films_frames_are_qwen3s_own_video_of_each_frame_twice(tmp_path: Path) -> None:
    """Prompt, positions and what is seen: token for token."""
    repository, seconds = store("qwen3_vl", tmp_path), [0.5, 1.5, 2.5]
    given = video(repository, seconds, "And?")
    end = repository.processor.tokenizer.eos_token_id
    ids = repository.model.generate(**given, max_new_tokens=12, min_new_tokens=12, do_sample=False, eos_token_id=end)
    parts: list[str | Picture] = []
    for at, each in enumerate(seconds):
        parts += [frame_label(at, len(seconds), each), Picture(picture(96, 64, at), str(at) * 64)]
    asked = Request((Turn("user", (*parts, "And?")),), Generation(temperature=0.0, max_tokens=12), min_tokens=12)
    events = list(OfflineEngine(load(repository.folder, torch.device("cpu"), exact=True)).generate(asked))
    length = given["input_ids"].shape[1]
    assert [event.prompt_tokens for event in events if isinstance(event, Done)] == [length]
    wanted = repository.processor.tokenizer.decode(ids[0, length:], skip_special_tokens=True)
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    assert said.replace("\ufffd", "").split() == wanted.replace("\ufffd", "").split()
