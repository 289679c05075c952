"""LoRA adapters in the format of the library peft: a folder with `adapter_config.json` and `adapter_model.safetensors`.

Checked against peft 0.21. What this engine does not compute is refused with its name, never left out.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors.torch import save_file
from torch import Tensor

from engine.errors import AdapterError
from engine.weights.stored_tensors import open_weights

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
PICTURES = re.compile(r"(^|\.)(vision|visual|image|img|qformer|connector|projector)")
NAME = re.compile(r"(?:.*\.)?layers\.(\d+)\.(self_attn|mlp)\.(\w+)")
TENSOR = re.compile(r"(.+)\.lora_([AB])(?:\.default)?\.weight")
# peft's options that change what is computed, and the values at which they change nothing.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "bias": ("none",),
    **dict.fromkeys(("use_dora", "use_qalora", "lora_bias", "fan_in_fan_out"), (False, None)),
    **dict.fromkeys(("modules_to_save", "trainable_token_indices", "layer_replication", "target_parameters"), (None, [], {})),
    **dict.fromkeys(
        ("alora_invocation_tokens", "use_bdlora", "arrow_config", "kasa_config", "velora_config", "monteclora_config"), (None,)
    ),
}


class AdapterConfig(BaseModel):
    """Of `adapter_config.json` what says how A and B count. `target_modules` are endings of modules' names, or one regular expression;
    `layers_to_transform` are those that they are looked for in, all where there is none."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    r: Annotated[int, Field(gt=0)] = 8
    lora_alpha: float = 8
    use_rslora: bool = False
    target_modules: tuple[str, ...] | str | None = None
    rank_pattern: dict[str, int] | None = None
    alpha_pattern: dict[str, float] | None = None
    base_model_name_or_path: str | None = None
    layers_to_transform: tuple[int, ...] | int | None = None

    def scale_of(self, module: str, rank: int) -> float:
        """By which B A of this module, whose name has no prefix of peft's, is multiplied."""
        alpha = next((value for key, value in (self.alpha_pattern or {}).items() if re.match(rf"(.*\.)?({key})$", module)), self.lora_alpha)
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)

    def targets(self, module: str) -> bool:
        """Whether a new adapter is to have this module, by peft's rules."""
        if isinstance(self.target_modules, str):
            return self.target_modules == "all-linear" or re.fullmatch(self.target_modules, module) is not None
        named = any(module == target or module.endswith(f".{target}") for target in self.target_modules or ())
        return named and self.in_layer(module)

    def in_layer(self, module: str) -> bool:
        """Whether the module's layer is one of `layers_to_transform`."""
        layers, found = self.layers_to_transform, NAME.fullmatch(module)
        if layers is None or found is None:
            return layers is None
        return int(found[1]) in ((layers,) if isinstance(layers, int) else layers)


@dataclass(frozen=True)
class LowRank:
    """What one projection gets: W + scale · B A. `a` [rank, in], `b` [out, rank]."""

    a: Tensor
    b: Tensor
    scale: float


@dataclass(frozen=True)
class Adapter:
    """`modules` by the language model's own names, such as `layers.0.self_attn.q_proj`."""

    config: AdapterConfig
    modules: dict[str, LowRank]
    folder: Path


def read_adapter(folder: Path) -> Adapter:
    """Raises AdapterError for what does not fit together or asks for what is not computed here, WeightsError for a damaged file."""
    config = read_config(folder / CONFIG)
    tensors = {name: tensor.read() for name, tensor in open_weights(folder / WEIGHTS).items()}
    if not tensors:
        raise AdapterError(f"{folder / WEIGHTS} holds no tensors. Fetch or train it again.")
    pairs: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        module, side = parsed(name, folder)
        pairs.setdefault(module, {})[side] = tensor
    return Adapter(config, {module: low_rank(module, pair, config, folder) for module, pair in pairs.items()}, folder)


def read_config(path: Path) -> AdapterConfig:
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
        kind = values.get("peft_type")
        if kind != "LORA":
            raise AdapterError(f"{path} is of peft's type {kind!r}; this engine computes LORA only.")
        for name, neutral in NEUTRAL.items():
            if name in values and values[name] not in neutral:
                raise AdapterError(f"{path} says {name} = {values[name]!r}, which this engine does not compute. Train without it.")
        return checked(AdapterConfig.model_validate(values))
    except FileNotFoundError:
        raise AdapterError(f"{path} is missing. An adapter is a folder as peft's `save_pretrained` writes it.") from None
    except OSError as error:
        raise AdapterError(f"{path} can't be read: {error.strerror}. Check who may read it.") from None
    except (ValidationError, ValueError, AttributeError, re.error) as error:
        raise AdapterError(f"{path} is no config of an adapter: {str(error).splitlines()[0]}. Fetch or train it again.") from None


def checked(config: AdapterConfig) -> AdapterConfig:
    """Raises re.error for a pattern that is none."""
    for pattern in (*(config.rank_pattern or ()), *(config.alpha_pattern or ())):
        re.compile(pattern)
    return config


def parsed(name: str, folder: Path) -> tuple[str, str]:
    """A tensor's name → the language model's module, and "A" or "B"."""
    tensor = TENSOR.fullmatch(name)
    module = module_of(tensor[1]) if tensor else None
    if tensor is None or module is None:
        raise AdapterError(
            f"{folder / WEIGHTS} holds {name}: this engine computes LoRA on the language model's projections alone (q, k, v, o, gate, up, "
            "down). Train with those as target_modules."
        )
    return module, tensor[2]


def module_of(path: str) -> str | None:
    """A projection's name in any file → `layers.0.self_attn.q_proj`; None for what is none of the language model's."""
    found = None if PICTURES.search(path) else NAME.fullmatch(path)
    return found and f"layers.{found[1]}.{found[2]}.{found[3]}"


def low_rank(module: str, pair: Mapping[str, Tensor], config: AdapterConfig, folder: Path) -> LowRank:
    if set(pair) != {"A", "B"} or pair["A"].ndim != 2 or pair["B"].ndim != 2 or pair["A"].shape[0] != pair["B"].shape[1]:
        shapes = {side: list(tensor.shape) for side, tensor in sorted(pair.items())}
        raise AdapterError(f"{folder / WEIGHTS} is no whole adapter of {module}: {shapes}. Fetch or train it again.")
    return LowRank(pair["A"], pair["B"], config.scale_of(f"model.{module}", pair["A"].shape[0]))


def write_adapter(folder: Path, config: AdapterConfig, modules: Mapping[str, LowRank]) -> None:
    """Writes what peft's `PeftModel.from_pretrained` reads for a `LlamaForCausalLM`; `modules` as in `Adapter`."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {}
    for module, pair in modules.items():
        for side, tensor in (("A", pair.a), ("B", pair.b)):
            tensors[f"{PREFIX}model.{module}.lora_{side}.weight"] = tensor.detach().float().cpu().contiguous()
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})
    stated = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "bias": "none", "lora_dropout": 0.0, "inference_mode": True}
    (folder / CONFIG).write_text(json.dumps({**stated, **config.model_dump(exclude_none=True)}, indent=1), encoding="utf-8")
