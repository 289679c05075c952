"""Tuning after rounding: on words that it never read the tuned model is closer to the whole one, with the same codes in the same bits."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor
from typer.testing import CliRunner

from engine.commands.model import app
from engine.layers.quantization import dequantize
from engine.models.llama.llama import Llama
from engine.rounding import round_model as subject
from engine.rounding.round_model import Reports, round_model
from engine.rounding.student import ScaledProduct
from engine.rounding.tuning import divergence
from engine.weights.kept_codes import FOLDER, TUNED
from tests.engine.rounding.test_round_model import CPU, SILENT, Stopped, folder, loaded, silent

__all__ = ["folder"]
UNSEEN = torch.randint(0, 256, (8, 64), generator=torch.Generator().manual_seed(3))


@torch.inference_mode()
def distance(language: Llama, whole: Llama) -> float:
    """KL in nats a token, on random bytes."""
    ours, taught = (model(model.embed(UNSEEN), torch.arange(UNSEEN.shape[1])[None]).flatten(0, 1) for model in (language, whole))
    return float(divergence(ours, taught, whole.lm_head.weight)) / UNSEEN.numel()


def contents(kept: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in kept.glob("*.safetensors")}


@pytest.mark.sweep
def test_the_tuned_model_is_closer_on_words_it_never_read_with_the_same_codes(folder: Path) -> None:
    whole = loaded(folder, "none")
    rounded = contents(round_model(folder, CPU, SILENT))
    before = distance(loaded(folder, "4bit"), whole)
    kept = round_model(folder, CPU, SILENT, tuned=True)
    after = distance(loaded(folder, "4bit"), whole)
    assert after < 0.95 * before, (before, after)
    tuned = contents(kept)
    assert {name: data for name, data in tuned.items() if name != TUNED} == rounded  # not rounded again
    (kept / TUNED).unlink()
    assert contents(round_model(folder, CPU, SILENT, tuned=True)) == tuned  # two runs give the same
    codes, learnt = load_file(next(kept.glob("language*"))), load_file(kept / TUNED)
    scales = {name: tensor for name, tensor in learnt.items() if name.endswith("_scale")}
    assert scales.keys() == {name for name in codes if name.endswith("_scale")}
    assert all((tensor.dtype, tensor.shape) == (torch.float16, codes[name].shape) for name, tensor in scales.items())
    weights = sum(2 * tensor.numel() for name, tensor in codes.items() if name not in scales)
    stored = sum(tensor.nbytes for name, tensor in codes.items() if name not in scales) + sum(scale.nbytes for scale in scales.values())
    assert 8 * stored / weights == 4.25


def test_stopped_in_tuning_what_was_rounded_is_there_and_rounding_again_forgets_the_tuned(folder: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        round_model(folder, CPU, Reports(silent, stop), tuned=True)
    assert loaded(folder, "4bit")
    assert not (folder / FOLDER / TUNED).exists()
    (folder / FOLDER / TUNED).write_bytes(b"of another run")
    assert TUNED not in contents(round_model(folder, CPU, SILENT))


def test_the_command_tunes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANDER_HOME", str(folder.parent.parent))
    monkeypatch.setattr(subject, "TUNED_ROWS", 1)
    result = CliRunner().invoke(app, ["quantize", "tiny", "--device", "cpu", "--tune"])
    assert result.exit_code == 0, result.output
    assert "GB of main memory" in result.output  # said before it starts
    assert (folder / FOLDER / TUNED).exists()


def test_gradients_are_those_of_the_restored_matrix() -> None:
    generator = torch.Generator().manual_seed(0)
    codes = torch.randint(0, 256, (6, 64), dtype=torch.uint8, generator=generator)
    scales = torch.rand(6, 2, generator=generator)
    x, given = torch.randn(2, 3, 128, generator=generator), torch.randn(2, 3, 6, generator=generator)

    def gradients(product: Tensor, *of: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(product, of, given)

    x, scales = x.requires_grad_(), scales.requires_grad_()
    units = dequantize(codes, torch.ones(6, 2), torch.float32)
    plain = x @ (units * scales.repeat_interleave(64, dim=1)).T
    ours = ScaledProduct.apply(x, codes, scales)  # type: ignore[no-untyped-call]  # torch's own
    torch.testing.assert_close(ours, plain)
    torch.testing.assert_close(gradients(ours, x, scales), gradients(plain, x, scales))
