"""Loads a repository of a hub as it lies there: vision by transformers, the language model into our own, one tensor at a time."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoImageProcessor,
    AutoModelForImageTextToText,
    AutoTokenizer,
    Idefics3Processor,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.processing_utils import ProcessorMixin
from transformers.utils import logging as transformers_logging

from engine.errors import ModelError, WeightsError
from engine.layers.quantization import HEAD
from engine.models.card import Card, ChatTemplate
from engine.models.detail import Detail
from engine.models.llama.config import LlamaConfig
from engine.models.pretrained.model import PretrainedModel
from engine.models.pretrained.onevision import OneVisionModel
from engine.models.pretrained.qwen import QwenModel
from engine.models.pretrained_card import read_json
from engine.models.reasoning import markers_of
from engine.models.tokenizer import JsonTokenizer
from engine.weights.kept_codes import with_kept_codes
from engine.weights.llama_loader import fill_language
from engine.weights.merging import EMBEDDING, check_tensors, language_shapes
from engine.weights.proofs import check_finite
from engine.weights.stored_tensors import StoredTensor, open_folder
from engine.weights.weight_files import check_unlisted

LANGUAGE = re.compile(r"(?:model\.)?(?:language_model|text_model)\.(?:model\.)?(.+)|model\.((?:layers|embed_tokens|norm)\..+)")
# How a processor is told to look at a picture as a whole, at low detail: on a CPU up to seventeen tiles would take a minute.
WHOLE = {
    "idefics3": {"do_image_splitting": False},
    "internvl": {"crop_to_patches": False},
    "smolvlm": {"do_image_splitting": False},
}
FILMS = "video_processor"
READ_FILMS_SETTINGS = {"minicpmv4_6"}  # types whose processor looks into its part for films when it is made
KINDS = {"llava_onevision": OneVisionModel, "qwen2_5_vl": QwenModel, "qwen3_vl": QwenModel}  # that need more than `PretrainedModel`
TEXT_PARTS = ("language_model", "text_model")  # of transformers' picture models: what is replaced by ours


def load(
    folder: Path, card: Card, device: torch.device, dtype: torch.dtype, *, others: Sequence[torch.device] = (), detail: Detail | None = None
) -> PretrainedModel:
    """The model in a folder, vision on `device`; `detail`: None = the makers' own bound.

    Raises ModelError and WeightsError that name the file and the remedy.
    """
    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
        fast = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        processor = load_processor(folder, config, fast)
    except (OSError, ValueError, ImportError, TypeError, KeyError) as error:
        raise ModelError(f"{folder} can't be read: {first_line(error)} Fetch the model again.") from None
    tensors = language_tensors(folder)
    sizes = language_config(config, tensors)
    wanted = language_shapes(sizes)
    check_tensors(folder, tensors, {name: shape for name, shape in wanted.items() if name != HEAD or not sizes.tie_word_embeddings})
    language = fill_language(sizes, with_kept_codes(folder, tensors, card.quantization), card, device, dtype, others)
    vision = load_vision(folder, config, device, dtype)
    kind = KINDS.get(config.model_type, PretrainedModel)
    model = kind(card, read_tokenizer(fast, folder, card), processor, vision, language, soft_token(config), WHOLE.get(config.model_type))
    model.choose(detail)
    return model


def language_tensors(folder: Path) -> dict[str, StoredTensor]:
    """The language model's, by LLaMA's own names: hubs have had five ways to name them inside a picture model."""
    found = open_folder(folder, lambda name: language_name(name) is not None)
    return {renamed: tensor for name, tensor in found.items() if (renamed := language_name(name)) is not None}


def language_name(name: str) -> str | None:
    """`model.text_model.layers.0.…`, `language_model.model.layers.0.…` → `model.layers.0.…`; None for vision's and the connector's."""
    if name.endswith("rotary_emb.inv_freq"):
        return None
    if name in (HEAD, f"language_model.{HEAD}"):
        return HEAD
    match = LANGUAGE.fullmatch(name)
    return None if match is None else f"model.{match[1] or match[2]}"


def language_config(config: PreTrainedConfig, tensors: Mapping[str, StoredTensor]) -> LlamaConfig:
    """With as many words as the embedding has rows. Raises WeightsError where there is none."""
    if EMBEDDING not in tensors:
        raise WeightsError("The model's weights hold no language model's embedding: a weight file is missing. Fetch the model again.")
    sizes = LlamaConfig.from_json(config.get_text_config().to_dict(), f"{config.name_or_path}/config.json")
    tied = HEAD not in tensors or bool(config.tie_word_embeddings)
    layers = len(getattr(config.vision_config, "deepstack_visual_indexes", ()))
    return dataclasses.replace(sizes, vocab_size=tensors[EMBEDDING].shape[0], tie_word_embeddings=tied, deepstack=layers)


def load_vision(folder: Path, config: PreTrainedConfig, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """Transformers' model without a language model in it. Raises WeightsError for a part that is missing."""
    check_unlisted(folder)
    config.get_text_config().num_hidden_layers = 0
    before = transformers_logging.get_verbosity()
    transformers_logging.disable_progress_bar()
    transformers_logging.set_verbosity_error()  # it would warn of every tensor of the language model
    try:
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            folder, config=config, dtype=dtype, local_files_only=True, use_safetensors=True, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{folder}: its vision tower can't be loaded: {first_line(error)} Fetch the model again.") from None
    finally:
        transformers_logging.set_verbosity(before)
    whole, told = loaded
    missing = sorted(name for name in told["missing_keys"] if language_name(name) is None)
    if missing:
        raise WeightsError(f"{folder} lacks {missing[0]}: a weight file is missing from it, or from its index. Fetch the model again.")
    vision: PreTrainedModel = whole.model
    for name in TEXT_PARTS:
        if hasattr(vision, name):
            setattr(vision, name, nn.Identity())
    for name, parameter in vision.named_parameters():
        check_finite(folder, name, parameter.detach())
    nn.Module.to(vision, device)
    vision.eval().requires_grad_(False)
    return vision


class PicturesOnly(ProcessorMixin):
    """Mixed into a processor's class: does without the part that reads films, which would want torchvision. None stands in its place,
    or the part for pictures."""

    def check_argument_for_proper_class(self, argument_name: str, argument: Any) -> Any:
        absent = argument is None or argument_name == FILMS
        return type(argument) if absent else super().check_argument_for_proper_class(argument_name, argument)  # type: ignore[no-untyped-call]


def processor_parts(kind: Any, model_type: str, parts: Mapping[str, object]) -> list[object]:
    """What a processor of this class is made of, in its own order."""
    given = dict(parts)
    if model_type in READ_FILMS_SETTINGS:
        given[FILMS] = parts["image_processor"]
    return [given.get(name) for name in kind.get_attributes()]


def load_processor(folder: Path, config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase) -> ProcessorMixin:
    """The repository's own, for pictures and words. SmolVLM's does with pictures what Idefics3's does, and wants a package for films."""
    kind: Any = Idefics3Processor if config.model_type == "smolvlm" else PROCESSOR_MAPPING[type(config)]
    parts = {"tokenizer": tokenizer, "image_processor": AutoImageProcessor.from_pretrained(folder, local_files_only=True, backend="pil")}
    values, _ = kind.get_processor_dict(folder, local_files_only=True)
    made: Any = type(kind.__name__, (PicturesOnly, kind), {})
    processor: ProcessorMixin = made.from_args_and_dict(processor_parts(kind, config.model_type, parts), values)
    return processor


def read_tokenizer(fast: PreTrainedTokenizerBase, folder: Path, card: Card) -> JsonTokenizer:
    """As transformers has it, with every end that the makers name, and a first token where one is wanted."""
    jinja = card.template.jinja if isinstance(card.template, ChatTemplate) else ""
    added = [token.content for token in fast.added_tokens_decoder.values()]
    begins = fast("a").input_ids[:1] == [fast.bos_token_id]
    bos = fast.bos_token if begins or "bos_token" in jinja else None
    tokenizer = JsonTokenizer(fast.backend_tokenizer, bos, [fast.eos_token] if fast.eos_token else [], markers_of(added, jinja))
    tokenizer.eos_ids |= ends(folder)
    return tokenizer


def ends(folder: Path) -> frozenset[int]:
    """The ids that `generation_config.json` names: one, a list, or none."""
    path = folder / "generation_config.json"
    found = (read_json(path) if path.is_file() else {}).get("eos_token_id")
    return frozenset([found] if isinstance(found, int) else found or [])


def soft_token(config: PreTrainedConfig) -> int:
    """The id that stands for a soft token of a picture."""
    return int(getattr(config, "image_token_id", None) or config.image_token_index)


def first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".") + "."
