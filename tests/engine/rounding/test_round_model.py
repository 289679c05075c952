"""`gander model quantize`: codes made once, kept with the model, and loaded in the place of its weights."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from structlog.testing import capture_logs
from typer.testing import CliRunner

from engine.commands.model import app
from engine.errors import ModelError
from engine.layers.modes import Quantization
from engine.layers.quantization import dequantize
from engine.layers.quantized import QuantizedLinear
from engine.models.card import CARD_NAME
from engine.models.card_reader import read_card
from engine.models.llama.llama import FUSED, Llama
from engine.rounding.layer_rounding import second_moments
from engine.rounding.round_model import Reports, round_model
from engine.weights.kept_codes import FOLDER
from engine.weights.loader import load_language
from tests.engine.tiny import CONFIG, tiny_card, tiny_language, tiny_tokenizer

CPU = torch.device("cpu")
SHAPE = replace(CONFIG, hidden_size=64, intermediate_size=128)  # o_proj's rows of 32 can't be cut into groups: 8 bits


class Stopped(Exception):
    """As a person's Ctrl-C."""


def silent(done: int, total: int) -> None:
    """Nobody watches."""


SILENT = Reports(silent, silent)


def unfused(language: Llama) -> dict[str, torch.Tensor]:
    """By Hugging Face's names, as files have them."""
    heads = SHAPE.num_attention_heads * SHAPE.head_dim
    kv = SHAPE.num_key_value_heads * SHAPE.head_dim
    rows = {"qkv_proj": (heads, kv, kv), "gate_up_proj": (SHAPE.intermediate_size,) * 2}
    state: dict[str, torch.Tensor] = {}
    for name, tensor in language.state_dict().items():
        whole = next((whole for whole in FUSED if whole in name), None)
        parts = {name: tensor} if whole is None else dict(zip(FUSED[whole], tensor.split(rows[whole]), strict=True))
        state |= {name if whole is None else name.replace(whole, part): piece.clone() for part, piece in parts.items()}
    return state


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    model = tmp_path / "models" / "tiny"
    model.mkdir(parents=True)
    (model / "config.json").write_text(json.dumps(asdict(SHAPE)))
    (model / CARD_NAME).write_text(tiny_card().model_dump_json())
    tiny_tokenizer()._tokenizer.save(str(model / "tokenizer.json"))
    (model / "tokenizer_config.json").write_text(json.dumps({"bos_token": "<s>", "eos_token": "</s>"}))
    save_file(unfused(tiny_language(config=SHAPE)), model / "language.safetensors")
    return model


def loaded(folder: Path, mode: Quantization) -> Llama:
    return load_language(folder, read_card(folder).model_copy(update={"quantization": mode}), CPU, torch.float32)


@torch.inference_mode()
def logits(language: Llama) -> torch.Tensor:
    text = torch.tensor([tiny_tokenizer().encode("The river that runs past our town is not a famous one. " * 3)])
    return language.logits(language(language.embed(text), torch.arange(text.shape[1])[None]))


def test_kept_codes_are_loaded_and_closer_to_the_whole_model(folder: Path) -> None:
    whole = logits(loaded(folder, "none"))
    with capture_logs() as said:
        nearest = logits(loaded(folder, "4bit"))
    assert said[0]["closer"] == "gander model quantize tiny"
    kept = round_model(folder, CPU, SILENT)
    codes = {name: tensor for file in kept.glob("*.safetensors") for name, tensor in load_file(file).items()}
    language = loaded(folder, "4bit")
    down = language.get_submodule("model.layers.1.mlp.down_proj")
    assert isinstance(down, QuantizedLinear)
    assert torch.equal(down.weight, codes["model.layers.1.mlp.down_proj.weight"])
    assert (logits(language) - whole).norm() < 0.9 * (nearest - whole).norm()
    assert torch.equal(logits(loaded(folder, "none")), whole)  # codes are for 4 bit alone
    qkv, state = language.get_submodule("model.layers.0.self_attn.qkv_proj"), unfused(tiny_language(config=SHAPE))
    assert isinstance(qkv, QuantizedLinear)
    restored = dequantize(qkv.weight, qkv.weight_scale, torch.float32)
    exact = torch.cat([state[f"model.layers.0.self_attn.{part}_proj.weight"] for part in "qkv"])
    assert (restored - exact).norm() < 0.2 * exact.norm()


def test_codes_of_other_weights_are_left_alone(folder: Path) -> None:
    round_model(folder, CPU, SILENT)
    save_file(unfused(tiny_language(seed=5, config=SHAPE)), folder / "language.safetensors")
    with capture_logs() as said:
        anew = loaded(folder, "4bit")
    assert said[0]["event"] == "kept codes are of other weights"
    (folder / FOLDER / "made_from.json").write_text("{")
    with capture_logs() as said:
        assert torch.equal(logits(loaded(folder, "4bit")), logits(anew))
    assert said[0]["event"] == "kept codes can't be read"


def test_a_run_that_was_stopped_continues_to_the_same_codes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.weights.shards.SHARD_BYTES", 12_000)  # several files, of which some are whole when it stops

    def stop(written: int, total: int) -> None:
        if written > 0.7 * total:
            raise Stopped

    with pytest.raises(Stopped):
        round_model(folder, CPU, Reports(stop, silent))
    assert not (folder / FOLDER).exists()
    finished = {path.name: path.stat().st_mtime_ns for path in (folder / f".{FOLDER}.partial").glob("*.safetensors")}
    assert finished
    kept = round_model(folder, CPU, SILENT)
    assert {name: (kept / name).stat().st_mtime_ns for name in finished} == finished
    resumed = {path.name: path.read_bytes() for path in kept.glob("*.safetensors")}
    assert resumed == {path.name: path.read_bytes() for path in round_model(folder, CPU, SILENT).glob("*.safetensors")}


def test_the_command(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANDER_HOME", str(folder.parent.parent))
    result = CliRunner().invoke(app, ["quantize", "tiny", "--device", "cpu"])
    assert result.exit_code == 0, result.output
    assert str(folder / FOLDER) in result.output


def test_what_is_stored_quantised_is_refused(folder: Path) -> None:
    state = load_file(folder / "language.safetensors")
    save_file(state | {"lm_head.weight_scale": torch.ones(258)}, folder / "language.safetensors")
    with pytest.raises(ModelError, match="quantised already"):
        round_model(folder, CPU, SILENT)


def test_a_token_counts_by_the_share_that_it_gets_of_the_residual_stream() -> None:
    x = torch.randn(3000, 8, generator=torch.Generator().manual_seed(0))
    x[0] *= 1000  # as a text's first token has it
    sizes = x.square().mean(dim=-1, keepdim=True)
    shares = (1 / sizes) / (1 / sizes).sum()
    torch.testing.assert_close(second_moments(x, sizes), (shares * x).T @ x)
    assert second_moments(x)[0, 0] > 100 * second_moments(x[1:])[0, 0]
    assert second_moments(x, sizes)[0, 0] < 2 * second_moments(x[1:])[0, 0]
