"""Makes one ready folder from LLaMA, a Vicuna delta and MiniGPT-4's files: `gander model import`.

Everything that can be wrong with the inputs is found before the first weight is written. A killed import continues at
the first shard that is not whole yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from engine.atomic_write import replacing_folder
from engine.device.meta import without_memory
from engine.errors import ModelError, WeightsError
from engine.layers.modes import Quantization
from engine.layers.quantization import Slot, mode_of, quantize, quantized_slots
from engine.models.card import CARD_NAME, Card, Component
from engine.models.llama.config import LlamaConfig
from engine.models.minigpt4.config import ARCHITECTURE_NAME, VISION_SHARDS, Architecture, read_architecture
from engine.models.minigpt4.minigpt4 import VisionEncoder
from engine.weights.merging import HubLlama, check_alone, check_pair, language_shapes, merge, open_llama
from engine.weights.minigpt4_release import read_release, read_template
from engine.weights.shard_folder import Progress, write_weights
from engine.weights.shards import Conversion
from engine.weights.stored_tensors import StoredTensor, open_weights
from engine.weights.tokenizer_conversion import Special, convert_tokenizer
from engine.weights.vision_conversion import copy_conversion, found, open_vision_encoder, trained_with, vision_conversion

PROJECTION = ("llama_proj.weight", "llama_proj.bias")
SIZES = {4096: "7B", 5120: "13B"}
LLAMA2_INPUT = 4 * 1408  # four patches side by side go into the projection of the version for Llama 2
PLAIN_WORDS = 32000


@dataclass(frozen=True)
class Sources:
    """The paths that `gander model import` was given, under its options' names."""

    llama: Path
    blip2: Path
    checkpoint: Path
    delta: Path | None = None
    vit: Path | None = None
    architecture: Path | None = None

    def parts(self) -> tuple[Component, ...]:
        """What the model is made of, each with its licence."""
        known = read_release().parts
        given = {name: path for name, path in asdict(self).items() if path and name in known}
        return tuple(Component(name=known[name].name, source=path.name, licence=known[name].licence) for name, path in given.items())


def import_model(sources: Sources, out: Path, quantization: Quantization, progress: Progress) -> Card:
    """Makes the ready folder `out`. Raises ModelError or WeightsError that says which file or option to change."""
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out} exists already. Choose another --out, or remove it first.")
    sizes = read_architecture(sources.architecture) if sources.architecture else Architecture()
    base = open_llama(sources.llama)
    delta = open_llama(sources.delta) if sources.delta else None
    config = (delta or base).config
    groups = {
        "language": language_conversions(base, delta, quantization),
        VISION_SHARDS: vision_conversions(sources, sizes) + projection_conversions(sources, sizes, config.hidden_size),
    }
    card = make_card(out.name, sources, config, sizes, quantization)
    with replacing_folder(out, resume=True) as folder:
        special = convert_tokenizer([path for path in (sources.delta, sources.llama) if path], config.vocab_size, folder)
        write_configs(folder, config, sizes, special)
        write_weights(folder, groups, progress)
        (folder / CARD_NAME).write_text(card.model_dump_json(indent=1), encoding="utf-8")
    return card


def language_conversions(base: HubLlama, delta: HubLlama | None, quantization: Quantization) -> list[Conversion]:
    """How to make each parameter of the language model, in fp16 or quantised. `delta` is added to `base`."""
    if delta:
        check_pair(base, delta)
    else:
        check_alone(base)
    shapes = language_shapes((delta or base).config)
    return [language_conversion(name, shape, base, delta, quantization) for name, shape in shapes.items()]


def language_conversion(
    name: str, shape: tuple[int, ...], base: HubLlama, delta: HubLlama | None, quantization: Quantization
) -> Conversion:
    origins = (base.tensors[name], delta.tensors[name]) if delta else (base.tensors[name],)

    def weight() -> torch.Tensor:
        tensors = [origin.read() for origin in origins]
        return merge(*tensors) if delta else tensors[0].to(torch.float16)

    mode = mode_of(name, shape[-1], quantization)
    if mode != "none":
        slots = quantized_slots(name, shape, mode)
        return Conversion(slots, lambda: dict(zip(slots, quantize(weight(), mode), strict=True)), origins)
    return Conversion({name: Slot(torch.float16, shape)}, lambda: {name: weight()}, origins)


def vision_conversions(sources: Sources, sizes: Architecture) -> list[Conversion]:
    """How to make each parameter of the ViT and the Q-Former."""
    with without_memory():
        expected = VisionEncoder(sizes, width=1).state_dict()
    tensors = open_vision_encoder(sources.vit, sources.blip2) | trained_with(sources.checkpoint)
    return [
        vision_conversion(name, tuple(parameter.shape), tensors, sources.vit, sources.blip2)
        for name, parameter in expected.items()
        if name not in PROJECTION
    ]


def projection_conversions(sources: Sources, sizes: Architecture, width: int) -> list[Conversion]:
    """How to make the linear layer from the Q-Former to the language model of `width`. Raises WeightsError if it has another width."""
    tensors = open_weights(sources.checkpoint)
    weight = tensors.get(PROJECTION[0])
    if weight is None:
        raise WeightsError(f"{sources.checkpoint} lacks {PROJECTION[0]}: it is no MiniGPT-4 checkpoint. Give pretrained_minigpt4*.pth.")
    check_checkpoint(sources.checkpoint, tensors)
    if weight.shape[0] != width:
        raise WeightsError(
            f"{sources.checkpoint} translates into width {weight.shape[0]} ({model_size(weight.shape[0])}), but the language model in "
            f"{sources.llama} has width {width} ({model_size(width)}). Give the --checkpoint, or the --llama, of the other's size."
        )
    shapes = {PROJECTION[0]: (width, sizes.qformer.hidden_size), PROJECTION[1]: (width,)}
    return [copy_conversion(name, found(tensors, name, shape, sources.checkpoint)) for name, shape in shapes.items()]


def check_checkpoint(path: Path, tensors: Mapping[str, StoredTensor]) -> None:
    """Raises WeightsError for the checkpoint of a successor, which this import can't make a model of."""
    if any("lora_" in name for name in tensors):
        later = "MiniGPT-v2 (it changes the language model, by LoRA)"
    elif tensors[PROJECTION[0]].shape[1:] == (LLAMA2_INPUT,):
        later = "MiniGPT-4 for Llama 2 (it has no Q-Former)"
    elif any(name.startswith("llama_model.") for name in tensors):
        later = "a model whose language half was trained, too"
    else:
        return
    raise WeightsError(f"{path} is of {later}, which isn't computed here. Give MiniGPT-4's of 2023: pretrained_minigpt4*.pth.")


def model_size(width: int) -> str:
    return SIZES.get(width, "neither 7B nor 13B")


def make_card(name: str, sources: Sources, config: LlamaConfig, sizes: Architecture, quantization: Quantization) -> Card:
    release = read_release()
    return Card(
        name=name,
        architecture="minigpt4",
        version=" ".join(filter(None, (vicuna(sources, config, sizes), SIZES.get(config.hidden_size)))),
        context_length=config.max_position_embeddings,
        quantization=quantization,
        template=read_template(),
        generation=release.generation,
        languages=release.languages,
        notice=release.notice,
        parts=sources.parts(),
    )


def vicuna(sources: Sources, config: LlamaConfig, sizes: Architecture) -> str:
    """Which one it is, as far as that can be told: LLaMA itself looks like Vicuna v1 that is merged already."""
    if sizes.vicuna_version:
        return f"Vicuna {sizes.vicuna_version}"
    if sources.delta is None and config.vocab_size == PLAIN_WORDS:
        return "Vicuna v1 or LLaMA"
    return read_release().versions.get(config.vocab_size, "Vicuna")


def write_configs(folder: Path, config: LlamaConfig, sizes: Architecture, special: Special) -> None:
    """`config.json` with the ids that the tokenizer has, not those of 2023, and the vision encoder's sizes beside it."""
    ids = {"bos_token_id": special.bos_id, "eos_token_id": special.eos_id, "pad_token_id": None}
    values = {"model_type": "llama", "architectures": ["LlamaForCausalLM"], "torch_dtype": "float16", **asdict(config), **ids}
    (folder / "config.json").write_text(json.dumps(values, indent=1), encoding="utf-8")
    (folder / ARCHITECTURE_NAME).write_text(sizes.model_dump_json(indent=1), encoding="utf-8")
