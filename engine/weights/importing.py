"""Makes one ready folder from the files of MiniGPT-4, or of a successor: `gander model import`.

Everything that can be wrong with the inputs is found before the first weight is written. A killed import continues at
the first shard that is not whole yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from engine.atomic_write import replacing_folder
from engine.device.meta import without_memory
from engine.errors import ModelError, WeightsError
from engine.layers.modes import Quantization
from engine.models.card import CARD_NAME, Card, Component
from engine.models.llama.config import LlamaConfig
from engine.models.minigpt4.config import ARCHITECTURE_NAME, NEIGHBOURS, VISION_SHARDS, Architecture, VisionSizes, read_architecture
from engine.weights.checkpoint import PROJECTION, Kind, kind_of
from engine.weights.language_conversion import check_language, language_conversions
from engine.weights.merging import open_llama
from engine.weights.minigpt4_loader import picture_encoder
from engine.weights.minigpt4_release import read_release, read_template
from engine.weights.shard_folder import Progress, write_weights
from engine.weights.shards import Conversion
from engine.weights.stored_tensors import StoredTensor, open_weights
from engine.weights.tokenizer_conversion import Special, convert_tokenizer
from engine.weights.vision_conversion import (
    copy_conversion,
    eye_conversion,
    found,
    open_eye,
    open_vision_encoder,
    trained_with,
    vision_conversion,
)

SIZES = {4096: "7B", 5120: "13B"}
PLAIN_WORDS = 32000


@dataclass(frozen=True)
class Sources:
    """The paths that `gander model import` was given, under its options' names."""

    llama: Path
    checkpoint: Path
    blip2: Path | None = None
    delta: Path | None = None
    vit: Path | None = None
    architecture: Path | None = None

    def parts(self, kind: Kind) -> tuple[Component, ...]:
        """What the model is made of, each with its licence."""
        known = read_release(kind).parts
        unused = {"blip2"} if kind != "minigpt4" and self.vit else set()
        given = {name: path for name, path in asdict(self).items() if path and name in known.keys() - unused}
        return tuple(Component(name=known[name].name, source=path.name, licence=known[name].licence) for name, path in given.items())

    def sizes(self) -> Architecture | None:
        """As `--architecture` says. Raises ModelError."""
        return read_architecture(self.architecture) if self.architecture else None

    def kind(self) -> Kind:
        """Which model the checkpoint makes. Raises ModelError, WeightsError."""
        return kind_of(self.checkpoint, self.sizes())


def import_model(sources: Sources, out: Path, quantization: Quantization, progress: Progress) -> Card:
    """Makes the ready folder `out`. Raises ModelError or WeightsError that says which file or option to change."""
    out = out.resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(f"{out} exists already. Choose another --out, or remove it first.")
    base = open_llama(sources.llama)
    delta = open_llama(sources.delta) if sources.delta else None
    kind = sources.kind()
    sizes = sizes_of(kind, sources.sizes())
    language = check_language(kind, base, delta, sources.checkpoint)
    config = language.config
    groups = {
        "language": language_conversions(language, quantization),
        VISION_SHARDS: vision_conversions(sources, sizes) + projection_conversions(sources, sizes, config.hidden_size),
    }
    card = make_card(out.name, sources, kind, config, sizes, quantization)
    with replacing_folder(out, resume=True) as folder:
        special = convert_tokenizer([path for path in (sources.delta, sources.llama) if path], config.vocab_size, folder)
        write_configs(folder, config, sizes, special)
        write_weights(folder, groups, progress)
        (folder / CARD_NAME).write_text(card.model_dump_json(indent=1), encoding="utf-8")
    return card


def sizes_of(kind: Kind, given: Architecture | None) -> Architecture:
    """The release's, or those `given`; only the first MiniGPT-4 has a Q-Former."""
    sizes = given or Architecture(vision=VisionSizes(image_size=read_release(kind).image_size))
    return sizes if kind == "minigpt4" else sizes.model_copy(update={"qformer": None})


def vision_conversions(sources: Sources, sizes: Architecture) -> list[Conversion]:
    """How to make each parameter of the ViT and the Q-Former. Raises WeightsError that names the option to change."""
    with without_memory():
        expected = picture_encoder(sizes, width=1).state_dict()
    shapes = {name: tuple(parameter.shape) for name, parameter in expected.items() if name not in PROJECTION}
    eye = sources.vit or sources.blip2 or sources.checkpoint
    if sizes.qformer is None:
        tensors = open_eye(sources.vit, sources.blip2) | trained_with(sources.checkpoint)
        return [eye_conversion(name, shape, tensors, eye) for name, shape in shapes.items()]
    tensors = open_vision_encoder(sources.vit, sources.blip2) | trained_with(sources.checkpoint)
    return [vision_conversion(name, shape, tensors, sources.vit, sources.blip2 or eye) for name, shape in shapes.items()]


def projection_conversions(sources: Sources, sizes: Architecture, width: int) -> list[Conversion]:
    """How to make the linear layer from the picture to the language model of `width`. Raises WeightsError if it has another width."""
    tensors = open_weights(sources.checkpoint)
    check_width(sources, tensors, width)
    read = NEIGHBOURS * sizes.vision.hidden_size if sizes.qformer is None else sizes.qformer.hidden_size
    shapes = {PROJECTION[0]: (width, read), PROJECTION[1]: (width,)}
    return [copy_conversion(name, found(tensors, name, shape, sources.checkpoint)) for name, shape in shapes.items()]


def check_width(sources: Sources, tensors: Mapping[str, StoredTensor], width: int) -> None:
    written = tensors[PROJECTION[0]].shape[0]
    if written != width:
        raise WeightsError(
            f"{sources.checkpoint} translates into width {written} ({model_size(written)}), but the language model in "
            f"{sources.llama} has width {width} ({model_size(width)}). Give the --checkpoint, or the --llama, of the other's size."
        )


def model_size(width: int) -> str:
    return SIZES.get(width, "neither 7B nor 13B")


def make_card(name: str, sources: Sources, kind: Kind, config: LlamaConfig, sizes: Architecture, quantization: Quantization) -> Card:
    release = read_release(kind)
    language = vicuna(sources, config, sizes) if kind == "minigpt4" else release.versions[PLAIN_WORDS]
    return Card(
        name=name,
        architecture=release.architecture,
        version=" ".join(filter(None, (language, SIZES.get(config.hidden_size)))),
        context_length=config.max_position_embeddings,
        quantization=quantization,
        template=read_template(kind),
        generation=release.generation,
        languages=release.languages,
        notice=release.notice,
        parts=sources.parts(kind),
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
