"""A picture model of a real shape with random weights: as fast as the real one, and it needs no download."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import torch
from tokenizers import Tokenizer, models
from torch import nn
from transformers import AutoModelForImageTextToText, Idefics3Processor, PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerFast
from transformers.initialization import no_init_weights
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.processing_utils import ProcessorMixin

from engine.bench.device_memory import fill, random_language
from engine.bench.picture_shapes import SOFT, PictureShape
from engine.bench.word_tokenizer import WordTokenizer
from engine.layers.modes import Quantization
from engine.models.card import Card, ChatTemplate
from engine.models.llama.config import LlamaConfig
from engine.models.pretrained.model import PretrainedModel
from engine.models.pretrained.qwen import QwenModel
from engine.models.pretrained_card import LONGEST_CONTEXT
from engine.weights.pretrained_loader import TEXT_PARTS, PicturesOnly

TEMPLATE = (
    "{% for m in messages %}{{ m['role'] }} {% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}PICTURE{% else %} {{ c['text'] }}{% endif %}{% endfor %} . {% endfor %}"
    "{% if add_generation_prompt %}assistant {% endif %}"
)


def random_picture_model(name: str, shape: PictureShape, device: torch.device, dtype: torch.dtype, mode: Quantization) -> PretrainedModel:
    """The picture processor is the makers' own; words are made up."""
    text = shape.config.get_text_config().to_dict()
    layers = len(getattr(shape.config.vision_config, "deepstack_visual_indexes", ()))
    tied = bool(shape.config.tie_word_embeddings) and mode == "none"
    sizes = dataclasses.replace(LlamaConfig.from_json(text), tie_word_embeddings=tied, deepstack=layers)
    tokenizer = WordTokenizer(sizes.vocab_size, shape.placeholder)
    card = Card(
        name=name,
        architecture=shape.config.model_type,
        context_length=min(sizes.max_position_embeddings, LONGEST_CONTEXT),
        quantization=mode,
        template=ChatTemplate(jinja=TEMPLATE.replace("PICTURE", shape.placeholder), placeholder=shape.placeholder),
    )
    language = random_language(sizes, mode, device, dtype)
    vision = random_vision(shape.config, device, dtype)
    kind = PretrainedModel if sizes.mrope is None else QwenModel
    return kind(card, tokenizer, processor_of(shape), vision, language, SOFT)


def random_vision(config: PreTrainedConfig, device: torch.device, dtype: torch.dtype) -> PreTrainedModel:
    """Vision tower and connector by transformers. Made where memory that nobody touches costs nothing, then filled on the device."""
    eye = copy.deepcopy(config)
    eye.get_text_config().num_hidden_layers = 0
    with no_init_weights():
        vision: PreTrainedModel = AutoModelForImageTextToText.from_config(eye, dtype=dtype).model
    for name in TEXT_PARTS:
        if hasattr(vision, name):
            setattr(vision, name, nn.Identity())
    for module in vision.modules():
        for name, parameter in module.named_parameters(recurse=False):
            empty = torch.empty(parameter.shape, dtype=parameter.dtype, device=device)
            setattr(module, name, nn.Parameter(empty, requires_grad=False))
    nn.Module.to(vision, device)
    fill(vision, torch.Generator(device).manual_seed(1))
    vision.eval()
    return vision


def processor_of(shape: PictureShape) -> ProcessorMixin:
    """Of pictures and a vocabulary that has no more than what it writes for one."""
    kind: Any = Idefics3Processor if shape.config.model_type == "idefics3" else PROCESSOR_MAPPING[type(shape.config)]
    words = Tokenizer(models.WordLevel({token: at for at, token in enumerate((*shape.tokens, "<unk>"))}, "<unk>"))
    fast = PreTrainedTokenizerFast(tokenizer_object=words, unk_token="<unk>")  # noqa: S106  # no password
    fast.add_tokens(list(shape.tokens), special_tokens=True)
    fast.image_token = shape.placeholder
    fast.image_token_id = SOFT
    made: Any = type(kind.__name__, (PicturesOnly, kind), {})
    given = {"image_processor": shape.pictures, "tokenizer": fast}
    processor: ProcessorMixin = made(*[given.get(name) for name in kind.get_attributes()], **shape.options)
    return processor
