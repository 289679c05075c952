"""LoRA adapters in peft's format, written as peft names them, against the plain sum W + scale · B A."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import AdapterError
from engine.models.llama.llama import Llama
from engine.weights.adapters import PARTS, attach_adapters, train_adapter, trained_modules
from engine.weights.peft_format import CONFIG as CONFIG_NAME
from engine.weights.peft_format import WEIGHTS, AdapterConfig, LowRank, read_adapter, write_adapter
from tests.engine.adapters import MERGED, adapter_folder, base_weights
from tests.engine.tiny import CONFIG


def language_of(weights: dict[str, Tensor]) -> Llama:
    language = Llama(CONFIG)
    language.load_weights(weights)
    return language.requires_grad_(False)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {name: adapter_folder(tmp_path_factory.mktemp(name), name) for name in MERGED}


@torch.no_grad()
def test_each_row_is_computed_by_its_own_adapter_or_none(folders: dict[str, Path]) -> None:
    language = language_of(base_weights())
    attach_adapters(language, folders)
    names = ["", *MERGED]
    hidden, places = language.embed(torch.arange(2, 12)[None]), torch.arange(10)[None]
    scales = torch.tensor([language.lora_scales(name, pictures=True) for name in names])[:, None]
    together = language(hidden.expand(len(names), -1, -1), places, lora_scale=scales)
    for row, name in zip(together, names, strict=True):
        merged = language_of({**base_weights(), **(MERGED[name]() if name else {})})
        torch.testing.assert_close(row, merged(hidden, places)[0], rtol=1e-4, atol=1e-5)
    assert all((together[row] - together[0]).abs().max() > 0.1 for row in (1, 2))


def test_what_is_written_is_what_was_read(folders: dict[str, Path], tmp_path: Path) -> None:
    read = read_adapter(folders["wide"])
    write_adapter(tmp_path, read.config, read.modules)
    again = read_adapter(tmp_path)
    assert again.config == read.config
    assert again.modules.keys() == read.modules.keys()
    for module, pair in read.modules.items():
        assert torch.equal(pair.a, again.modules[module].a)
        assert torch.equal(pair.b, again.modules[module].b)
    assert json.loads((tmp_path / CONFIG_NAME).read_text())["peft_type"] == "LORA"


@pytest.mark.parametrize(
    ("targets", "module", "hit"),
    [
        (("q_proj", "v_proj"), "model.layers.0.self_attn.q_proj", True),
        (("q_proj",), "model.layers.0.self_attn.kq_proj", False),
        (r".*\.[01]\..*(q|k)_proj", "model.layers.1.self_attn.k_proj", True),
        (r".*\.[01]\..*(q|k)_proj", "model.layers.2.self_attn.k_proj", False),
        ("all-linear", "model.layers.2.mlp.up_proj", True),
        (None, "model.layers.2.mlp.up_proj", False),
    ],
)
def test_targets_are_named_by_peft_rules(targets: tuple[str, ...] | str | None, module: str, hit: bool) -> None:
    assert AdapterConfig(target_modules=targets).targets(module) is hit


def test_layers_to_transform_are_by_peft_rules() -> None:
    last, one = (AdapterConfig(target_modules=("q_proj",), layers_to_transform=layers) for layers in ((2, 3), 2))
    modules = [f"model.layers.{layer}.self_attn.q_proj" for layer in range(4)]
    assert [last.targets(module) for module in modules] == [False, False, True, True]
    assert [one.targets(module) for module in modules] == [False, False, True, False]
    assert not last.targets("q_proj")


def test_scales_are_by_peft_rules() -> None:
    config = AdapterConfig(r=4, lora_alpha=6, alpha_pattern={"v_proj": 12})
    assert config.scale_of("model.layers.0.self_attn.q_proj", 4) == 1.5
    assert config.scale_of("model.layers.0.self_attn.v_proj", 2) == 6
    assert AdapterConfig(r=4, lora_alpha=6, use_rslora=True).scale_of("x", 4) == 6 / math.sqrt(4)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"use_dora": True}, "use_dora = True"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"bias": "all"}, "bias = 'all'"),
        ({"lora_bias": True}, "lora_bias"),
        ({"peft_type": "IA3"}, "'IA3'"),
        ({"r": "many"}, "no config of an adapter"),
        ({"alpha_pattern": {"(": 1}}, "no config of an adapter"),
    ],
)
def test_what_is_not_computed_is_refused(change: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = adapter_folder(tmp_path, "narrow") / CONFIG_NAME
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(AdapterError, match=said.replace("(", r"\(")):
        read_adapter(tmp_path)


NAME = "base_model.model.model.layers.0.self_attn.q_proj"


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({f"{NAME}.lora_A.weight": torch.ones(2, 32)}, "no whole adapter"),
        ({f"{NAME}.lora_A.weight": torch.ones(2, 32), f"{NAME}.lora_B.weight": torch.ones(32, 3)}, "no whole adapter"),
        ({f"{NAME}.lora_magnitude_vector.weight": torch.ones(2)}, "lora_magnitude_vector"),
        ({"base_model.model.lm_head.lora_A.weight": torch.ones(2, 32)}, "lm_head"),
        ({"base_model.model.vision_tower.layers.0.self_attn.q_proj.lora_A.weight": torch.ones(2, 32)}, "vision_tower"),
        ({}, "no tensors"),
    ],
)
def test_weights_that_can_not_be_used_are_named(tensors: dict[str, Tensor], said: str, tmp_path: Path) -> None:
    adapter_folder(tmp_path, "narrow")
    save_file(tensors, tmp_path / WEIGHTS)
    with pytest.raises(AdapterError, match=said):
        read_adapter(tmp_path)


def test_an_adapter_of_another_model_is_refused(tmp_path: Path) -> None:
    write_adapter(tmp_path, AdapterConfig(r=2), {"layers.0.self_attn.q_proj": LowRank(torch.ones(2, 64), torch.ones(64, 2), 1.0)})
    with pytest.raises(AdapterError, match=r"64 × 64, this model's is 32 × 32"):
        attach_adapters(language_of(base_weights()), {"other": tmp_path})


def test_gradients_are_those_of_the_sum_and_what_was_trained_is_served(tmp_path: Path) -> None:
    language = language_of(base_weights())
    config = AdapterConfig(r=2, lora_alpha=3, target_modules=("q_proj", "v_proj", "down_proj"))
    layers = train_adapter(language, config)
    for layer in layers.values():
        for b in layer.up.values():
            torch.nn.init.normal_(b, std=0.2)
    hidden, places = torch.randn(1, 9, 32), torch.arange(9)[None]
    out = language(hidden, places, lora_scale=torch.ones(1, 1, 1))
    out.square().sum().backward()
    assert all(("lora" in name) == parameter.requires_grad for name, parameter in language.named_parameters())

    added = {part: pair.scale * (pair.b @ pair.a).detach() for part, pair in trained_modules(layers).items()}
    assert len(added) == 3 * CONFIG.num_hidden_layers
    plain = language_of(
        base_weights() | {f"model.{part}.weight": base_weights()[f"model.{part}.weight"] + sum_ for part, sum_ in added.items()}
    )
    plain.requires_grad_(True)(hidden, places).square().sum().backward()
    for path, layer in layers.items():
        whole = plain.model.get_parameter(f"{path}.weight").grad
        assert whole is not None
        for part, grad in zip(layer.rows, whole.split(list(layer.rows.values())), strict=True):
            if part in layer.targets:
                a, b = layer.pair(part)
                torch.testing.assert_close(a.grad, layer.scale * b.T @ grad, rtol=1e-3, atol=1e-4)
                torch.testing.assert_close(b.grad, layer.scale * grad @ a.T, rtol=1e-3, atol=1e-4)

    write_adapter(tmp_path, config, trained_modules(layers))
    served = language_of(base_weights())
    attach_adapters(served, {"new": tmp_path})
    torch.testing.assert_close(served(hidden, places, lora_scale=torch.ones(1, 1, 1)), out.detach(), rtol=1e-4, atol=1e-5)


def test_a_new_adapter_changes_nothing_and_leaves_the_models_own_as_it_is() -> None:
    language = language_of(base_weights())
    for own in language.add_lora(rank=2):
        torch.nn.init.normal_(own.b, std=0.2).requires_grad_(False)
    hidden, places = torch.randn(1, 9, 32), torch.arange(9)[None]
    on, off = (language(hidden, places, lora_scale=torch.full((1, 1, 1), scale)) for scale in (1.0, 0.0))
    layers = train_adapter(language, AdapterConfig(r=2, target_modules="all-linear"))
    assert len(trained_modules(layers)) == len(PARTS) * CONFIG.num_hidden_layers
    for scale, before in ((1.0, on), (0.0, off)):
        assert torch.equal(language(hidden, places, lora_scale=torch.full((1, 1, 1), scale)), before)


def test_an_adapter_of_no_projection_is_refused() -> None:
    with pytest.raises(AdapterError, match="name some of q_proj"):
        train_adapter(language_of(base_weights()), AdapterConfig(target_modules=("c_attn",)))
