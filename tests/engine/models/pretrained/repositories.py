"""Tiny random models of each native type, made from transformers' classes and stored as their repositories store them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import transformers as hf
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.got_ocr2.image_processing_pil_got_ocr2 import GotOcr2ImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import LlavaNextImageProcessorPil
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import LlavaOnevisionImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.smolvlm import processing_smolvlm
from transformers.models.smolvlm.image_processing_pil_smolvlm import SmolVLMImageProcessorPil

from engine.weights.pretrained_loader import PicturesOnly, processor_parts

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}IMAGE{% else %}{{ c['text'] }}{% endif %}{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
ROLES = (  # as SmolVLM's: the colon's space depends on what comes first
    "{{ bos_token }}{% for m in messages %}{{ m['role'] | capitalize }}{% if m['content'][0]['type'] == 'image' %}{{ ':' }}{% else %}"
    "{{ ': ' }}{% endif %}{% for c in m['content'] %}{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    "<end_of_utterance>\n{% endfor %}{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
CLIP = {"model_type": "clip_vision_model", "image_size": 56, "patch_size": 14, "projection_dim": 32, **VISION}
PINPOINTS = [[56, 112], [112, 56], [112, 112]]


@dataclass
class Parts:
    """What a repository is made of: transformers' model, its processor's class, and what that is made of."""

    model: Any
    processor: Any
    pictures: Any
    tokenizer: Any
    options: Mapping[str, object]
    template: str


@dataclass
class Repository:
    """Transformers' model and processor, and the folder that both were stored in."""

    folder: Path
    model: Any
    processor: Any
    answers: dict[tuple[str, int], tuple[list[int], int]] = field(default_factory=dict)  # what `generate` said, by conversation and beams


def byte_tokenizer(specials: list[str], **named: str) -> Any:
    """256 bytes and special tokens, made in code."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: at for at, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = hf.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", pad_token="<pad>", unk_token="<unk>", extra_special_tokens=named
    )
    fast.add_tokens(specials, special_tokens=True)
    return fast


def body(tokenizer: Any, **more: Any) -> dict[str, Any]:
    """LLaMA's sizes for the language half."""
    return {
        "model_type": "llama",
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": 16,
        "max_position_embeddings": 2048,
        "bos_token_id": None,
        "eos_token_id": None,
        "rms_norm_eps": 1e-5,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4},
        **more,
    }


def smol(config: Any, model: Any, processor: Any, pictures: Any) -> Parts:
    tiles = [f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7)]
    tokenizer = byte_tokenizer(["<fake_token_around_image>", "<image>", "<end_of_utterance>", "<global-img>", "<video>", *tiles])
    made = config(
        text_config=body(tokenizer),
        vision_config={**VISION, "image_size": 64, "patch_size": 16},
        scale_factor=2,
        image_token_id=tokenizer.convert_tokens_to_ids("<image>"),
        pad_token_id=tokenizer.pad_token_id,
    )
    tiled = pictures(size={"longest_edge": 128}, max_image_size={"longest_edge": 64})
    return Parts(model(made), processor, tiled, tokenizer, {"image_seq_len": 4}, ROLES)


def idefics3() -> Parts:
    return smol(hf.Idefics3Config, hf.Idefics3ForConditionalGeneration, hf.Idefics3Processor, Idefics3ImageProcessorPil)


def smolvlm() -> Parts:
    return smol(hf.SmolVLMConfig, hf.SmolVLMForConditionalGeneration, hf.SmolVLMProcessor, SmolVLMImageProcessorPil)


def clip_llava(config: Any, model: Any, processor: Any, pictures: Any, **tiles: Any) -> Parts:
    """Of CLIP's vision tower and LLaMA; `tiles` are what LLaVA-NeXT's config and pictures have besides."""
    tokenizer = byte_tokenizer(["<|im_start|>", "<|im_end|>"], image_token="<image>")
    image = tokenizer.convert_tokens_to_ids("<image>")
    made = config(
        text_config=body(tokenizer),
        vision_config=CLIP,
        image_token_index=image,
        image_token_id=image,
        image_seq_length=16,
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
        **tiles,
    )
    squares = pictures(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, **tiles)
    options = {"patch_size": 14, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    return Parts(model(made), processor, squares, tokenizer, options, chatml("<image>\n"))


def llava() -> Parts:
    return clip_llava(hf.LlavaConfig, hf.LlavaForConditionalGeneration, hf.LlavaProcessor, CLIPImageProcessorPil)


def llava_next() -> Parts:
    tiles = {"image_grid_pinpoints": PINPOINTS}
    return clip_llava(hf.LlavaNextConfig, hf.LlavaNextForConditionalGeneration, hf.LlavaNextProcessor, LlavaNextImageProcessorPil, **tiles)


def llava_onevision() -> Parts:
    """Of SigLIP's vision tower and Qwen2; a picture shown alone is cut into up to four tiles."""
    tokenizer = byte_tokenizer(["<|im_start|>", "<|im_end|>"], image_token="<image>", video_token="<video>")
    config = hf.LlavaOnevisionConfig(
        text_config=body(tokenizer, model_type="qwen2", tie_word_embeddings=True),
        vision_config={"model_type": "siglip_vision_model", "image_size": 56, "patch_size": 14, "vision_use_head": False, **VISION},
        image_token_index=tokenizer.convert_tokens_to_ids("<image>"),
        video_token_index=tokenizer.convert_tokens_to_ids("<video>"),
        image_grid_pinpoints=PINPOINTS,
    )
    pictures = LlavaOnevisionImageProcessorPil(size={"height": 56, "width": 56}, image_grid_pinpoints=PINPOINTS)
    options = {"num_image_tokens": 16, "vision_feature_select_strategy": "full"}
    model = hf.LlavaOnevisionForConditionalGeneration(config)
    return Parts(model, hf.LlavaOnevisionProcessor, pictures, tokenizer, options, chatml("<image>\n"))


def internvl(kind: str = "llama") -> Parts:
    """With a body of this `model_type`."""
    names = {"start_image_token": "<img>", "end_image_token": "</img>", "context_image_token": "<IMG_CONTEXT>"}
    tokenizer = byte_tokenizer(["<|im_start|>", "<|im_end|>"], video_token="<video>", image_token="<IMG_CONTEXT>", **names)
    image = tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")
    config = hf.InternVLConfig(
        text_config=body(tokenizer, model_type=kind, tie_word_embeddings=True),
        vision_config={"image_size": [56, 56], "patch_size": [14, 14], **VISION},
        image_token_id=image,
        image_seq_length=4,
        downsample_ratio=0.5,
    )
    pictures = GotOcr2ImageProcessorPil(size={"height": 56, "width": 56}, crop_to_patches=True, min_patches=1, max_patches=4)
    options = {"image_seq_length": 4}
    return Parts(hf.InternVLForConditionalGeneration(config), hf.InternVLProcessor, pictures, tokenizer, options, chatml("<IMG_CONTEXT>\n"))


def qwen(config: Any, model: Any, processor: Any, patch: int, text: dict[str, Any], eye: dict[str, Any]) -> Parts:
    """With pictures of 24 to 64 tokens, each of 2 by 2 patches."""
    names = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
    names |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
    tokenizer = byte_tokenizer(["<|im_start|>", "<|im_end|>", *names.values()])
    made = config(
        text_config=body(tokenizer, **text),
        vision_config={"hidden_size": 32, "intermediate_size": 64, "depth": 4, "num_heads": 2, "out_hidden_size": 64, **eye},
        **{name: tokenizer.convert_tokens_to_ids(token) for name, token in names.items()},
    )
    pixels = (2 * patch) ** 2
    pictures = Qwen2VLImageProcessorPil(patch_size=patch, merge_size=2, size={"shortest_edge": 24 * pixels, "longest_edge": 64 * pixels})
    return Parts(model(made), processor, pictures, tokenizer, {}, chatml("<|vision_start|><|image_pad|><|vision_end|>"))


def qwen2_5_vl() -> Parts:
    rope = {"rope_type": "default", "mrope_section": [2, 3, 3], "rope_theta": 1e6}
    text = {"model_type": "qwen2_5_vl_text", "rope_parameters": rope, "tie_word_embeddings": False}
    eye = {"patch_size": 14, "window_size": 56, "fullatt_block_indexes": [1, 3]}
    return qwen(hf.Qwen2_5_VLConfig, hf.Qwen2_5_VLForConditionalGeneration, hf.Qwen2_5_VLProcessor, 14, text, eye)


def qwen3_vl() -> Parts:
    rope = {"rope_type": "default", "mrope_section": [4, 2, 2], "mrope_interleaved": True, "rope_theta": 5e6}
    text = {"model_type": "qwen3_vl_text", "rope_parameters": rope, "num_hidden_layers": 3}
    eye = {"patch_size": 16, "num_position_embeddings": 64, "deepstack_visual_indexes": [0, 1]}
    return qwen(hf.Qwen3VLConfig, hf.Qwen3VLForConditionalGeneration, hf.Qwen3VLProcessor, 16, text, eye)


FAMILIES: dict[str, Callable[[], Parts]] = {
    "idefics3": idefics3,
    "internvl": internvl,
    "internvl on qwen2": partial(internvl, "qwen2"),
    "internvl on qwen3": partial(internvl, "qwen3"),
    "llava": llava,
    "llava_next": llava_next,
    "llava_onevision": llava_onevision,
    "qwen2_5_vl": qwen2_5_vl,
    "qwen3_vl": qwen3_vl,
    "smolvlm": smolvlm,
}


def chatml(picture: str) -> str:
    return CHATML.replace("IMAGE", picture)


def store(kind: str, folder: Path) -> Repository:
    """A repository of this `model_type`, written into `folder`. Its processor does without films, as ours does."""
    torch.manual_seed(0)
    return store_parts(FAMILIES[kind](), folder)


def store_parts(parts: Parts, folder: Path) -> Repository:
    """The same of any type."""
    lively(parts.model)
    parts.model.eval().save_pretrained(folder)
    if parts.model.config.model_type == "qwen2_5_vl":
        flatten(folder / "config.json")
    parts.tokenizer.save_pretrained(folder)
    parts.pictures.save_pretrained(folder)
    (folder / "chat_template.jinja").write_text(parts.template, encoding="utf-8")
    (folder / "processor_config.json").write_text(json.dumps({"processor_class": parts.processor.__name__, **parts.options}))
    cast("Any", processing_smolvlm).num2words = str  # of films, which need a package that spells their frames' number
    made: Any = type(parts.processor.__name__, (PicturesOnly, parts.processor), {})
    given = {"image_processor": parts.pictures, "tokenizer": parts.tokenizer}
    arguments = processor_parts(parts.processor, parts.model.config.model_type, given)
    return Repository(folder, parts.model, made(*arguments, **parts.options, chat_template=parts.template))


def flatten(path: Path) -> None:
    """As Qwen2.5-VL's lies on the hub: the language half's sizes beside everything else, rotary sections in words of their own."""
    config = json.loads(path.read_text())
    text = config.pop("text_config")
    rope = text.pop("rope_parameters")
    flat = {"rope_theta": rope["rope_theta"], "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]}}
    config["vision_config"]["model_type"] = "qwen2_5_vl"
    path.write_text(json.dumps({**text, **config, **flat}))


def lively(model: Any) -> None:
    """Random weights large enough that attention is not flat and a picture reaches the logits: at the usual 0.02 it can change nothing."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.12, generator=generator)
            elif "lambda" in name or "layer_scale" in name:
                parameter.fill_(1.0)
            else:
                parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.1)


def picture(width: int, height: int, seed: int = 0) -> Image.Image:
    """Noise with a red corner."""
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    pixels[: height // 2, : width // 2] = (220, 30, 30)
    return Image.fromarray(pixels)
