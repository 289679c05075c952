"""Tiny random models of types that transformers runs for us, each with another kind of memory of what it read."""

from __future__ import annotations

from collections.abc import Callable

import transformers as hf
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.gemma3.image_processing_pil_gemma3 import Gemma3ImageProcessorPil
from transformers.models.gemma4.image_processing_pil_gemma4 import Gemma4ImageProcessorPil
from transformers.models.minicpmv4_6.image_processing_pil_minicpmv4_6 import MiniCPMV4_6ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

from tests.engine.models.pretrained.repositories import VISION, Parts, body, byte_tokenizer, chatml, clip_llava

THINKS = "{% if not enable_thinking %}<think>\n\n</think>\n\n{% endif %}"  # as Qwen3.5's template ends where it is not to think


def gemma3() -> Parts:
    """Sliding windows, and attention both ways inside a picture."""
    names = {"image_token": "<image_soft_token>", "boi_token": "<start_of_image>", "eoi_token": "<end_of_image>"}
    tokenizer = byte_tokenizer(["<|im_start|>", "<|im_end|>"], **names)
    text = body(
        tokenizer,
        model_type="gemma3_text",
        tie_word_embeddings=False,
        sliding_window=32,
        num_hidden_layers=6,
        layer_types=["sliding_attention", "full_attention"] * 3,
    )
    del text["rope_parameters"]
    config = hf.Gemma3Config(
        text_config=text,
        vision_config={"model_type": "siglip_vision_model", "image_size": 56, "patch_size": 14, **VISION},
        mm_tokens_per_image=4,
        tie_word_embeddings=False,  # tied, such a small one repeats what it read last
        **{f"{name}_index": tokenizer.convert_tokens_to_ids(token) for name, token in names.items()},
    )
    pictures = Gemma3ImageProcessorPil(size={"height": 56, "width": 56})
    model = hf.Gemma3ForConditionalGeneration(config)
    return Parts(model, hf.Gemma3Processor, pictures, tokenizer, {"image_seq_length": 4}, chatml("<start_of_image>"))


def gemma4() -> Parts:
    """Layers that borrow the keys and values of others, an embedding of its own in each layer, pictures of any shape."""
    names = {"image_token": "<|image|>", "boi_token": "<|image>", "eoi_token": "<image|>", "audio_token": "<|audio|>"}
    tokenizer = byte_tokenizer(["<|im_start|>", "<|im_end|>"], boa_token="<|audio>", eoa_token="<audio|>", video_token="<|video|>", **names)
    text = body(
        tokenizer,
        model_type="gemma4_text",
        tie_word_embeddings=False,
        sliding_window=32,
        num_hidden_layers=4,
        layer_types=["sliding_attention", "full_attention"] * 2,
        num_kv_shared_layers=2,
        global_head_dim=32,
        vocab_size_per_layer_input=len(tokenizer),
        hidden_size_per_layer_input=16,
        use_bidirectional_attention="vision",
    )
    del text["rope_parameters"]
    vision = {"model_type": "gemma4_vision", "patch_size": 8, "pooling_kernel_size": 2, "head_dim": 16, "position_embedding_size": 64}
    config = hf.Gemma4Config(
        text_config=text,
        vision_config=vision | VISION | {"num_key_value_heads": 2},
        audio_config=None,
        tie_word_embeddings=False,
        image_token_id=tokenizer.convert_tokens_to_ids("<|image|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video|>"),
        audio_token_id=tokenizer.convert_tokens_to_ids("<|audio|>"),
        boi_token_id=tokenizer.convert_tokens_to_ids("<|image>"),
        eoi_token_id=tokenizer.convert_tokens_to_ids("<image|>"),
    )
    pictures = Gemma4ImageProcessorPil(patch_size=8, pooling_kernel_size=2, max_soft_tokens=70)
    return Parts(hf.Gemma4ForConditionalGeneration(config), hf.Gemma4Processor, pictures, tokenizer, {}, chatml("<|image|>"))


def minicpmv4_6() -> Parts:
    """Slices beside the whole picture, merged in the middle of the vision tower, before Qwen3.5's language model."""
    names = {"image_token": "<image_pad>", "video_token": "<video_pad>", "image_start_token": "<image>", "image_end_token": "</image>"}
    slices = {"slice_start_token": "<slice>", "slice_end_token": "</slice>"}
    numbers = {"image_id_start_token": "<image_id>", "image_id_end_token": "</image_id>"}
    tokenizer = byte_tokenizer(["<|im_start|>", "<|im_end|>"], **names, **slices, **numbers)
    linear = {"linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2, "linear_num_value_heads": 4}
    kinds = ["linear_attention", "full_attention"]
    config = hf.MiniCPMV4_6Config(
        text_config=body(tokenizer, model_type="qwen3_5_text", layer_types=kinds, **linear),
        vision_config={"model_type": "minicpmv4_6_vision", "image_size": 56, "patch_size": 14, **VISION},
        insert_layer_id=0,
        image_size=56,
        image_token_id=tokenizer.convert_tokens_to_ids("<image_pad>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<video_pad>"),
    )
    pictures = MiniCPMV4_6ImageProcessorPil(scale_resolution=56, patch_size=14)
    return Parts(hf.MiniCPMV4_6ForConditionalGeneration(config), hf.MiniCPMV4_6Processor, pictures, tokenizer, {}, chatml("<image_pad>"))


def vipllava() -> Parts:
    """Several layers of a vision tower, nothing else of its own."""
    layers = {"vision_feature_layers": [-2, -1]}
    return clip_llava(hf.VipLlavaConfig, hf.VipLlavaForConditionalGeneration, hf.LlavaProcessor, CLIPImageProcessorPil, **layers)


def qwen3_5() -> Parts:
    """Linear attention, and a template that opens the model's reasoning unless it is told not to."""
    names = {"image_token": "<|image_pad|>", "video_token": "<|video_pad|>", "vision_bos_token": "<|vision_start|>"}
    tokenizer = byte_tokenizer(["<|im_start|>", "<|im_end|>"], vision_eos_token="<|vision_end|>", **names)
    linear = {"linear_key_head_dim": 16, "linear_value_head_dim": 16, "linear_num_key_heads": 2, "linear_num_value_heads": 4}
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [3, 3, 2], "mrope_interleaved": True, "partial_rotary_factor": 1.0}
    kinds = ["linear_attention", "full_attention"]
    config = hf.Qwen3_5Config(
        text_config=body(tokenizer, model_type="qwen3_5_text", layer_types=kinds, **linear) | {"rope_parameters": rope},
        vision_config={
            "depth": 2,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_heads": 2,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "temporal_patch_size": 1,
            "out_hidden_size": 64,
            "num_position_embeddings": 16,
        },
        image_token_id=tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        video_token_id=tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        vision_start_token_id=tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        vision_end_token_id=tokenizer.convert_tokens_to_ids("<|vision_end|>"),
    )
    size = {"shortest_edge": 28 * 28, "longest_edge": 112 * 112}
    pictures = Qwen2VLImageProcessorPil(patch_size=14, merge_size=2, temporal_patch_size=1, size=size)
    template = chatml("<|vision_start|><|image_pad|><|vision_end|>").replace(
        "assistant\n{% endif %}", "assistant\n" + THINKS + "{% endif %}"
    )
    return Parts(hf.Qwen3_5ForConditionalGeneration(config), hf.Qwen3VLProcessor, pictures, tokenizer, {}, template)


RARE = {"gemma4", "minicpmv4_6"}  # tried in the sweep: what they add to the others is transformers' own affair
TYPES: dict[str, Callable[[], Parts]] = {
    "gemma3": gemma3,
    "gemma4": gemma4,
    "minicpmv4_6": minicpmv4_6,
    "qwen3_5": qwen3_5,
    "vipllava": vipllava,
}
