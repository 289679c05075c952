"""The real shapes of picture models that people run, as their makers' `config.json` has them: what a bench fills with random weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from transformers import Idefics3Config, LlavaConfig, PreTrainedConfig, Qwen3VLConfig
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.idefics3.image_processing_pil_idefics3 import Idefics3ImageProcessorPil
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil

TILES = tuple(f"<row_{row}_col_{column}>" for row in range(1, 7) for column in range(1, 7))
SOFT = 0  # the id of a soft token in the processor's own small vocabulary


@dataclass(frozen=True)
class PictureShape:
    """`placeholder` is first of the `tokens` that its processor writes; `options` are the processor's own, `dtype` the makers'."""

    config: PreTrainedConfig
    pictures: Any
    dtype: str
    tokens: tuple[str, ...]
    options: Mapping[str, object]

    @property
    def placeholder(self) -> str:
        return self.tokens[SOFT]


def qwen3_vl(width: int, inner: int, layers: int, heads: int, tied: bool, eye: dict[str, Any]) -> PictureShape:
    rope = {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20], "mrope_interleaved": True}
    text = {"model_type": "qwen3_vl_text", "vocab_size": 151936, "hidden_size": width, "intermediate_size": inner}
    text |= {"num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": 8, "head_dim": 128}
    text |= {"max_position_embeddings": 262144, "rope_parameters": rope, "tie_word_embeddings": tied}
    vision = {"patch_size": 16, "num_position_embeddings": 2304, "out_hidden_size": width, "num_heads": 16, **eye}
    config = Qwen3VLConfig(text_config=text, vision_config=vision, image_token_id=SOFT, tie_word_embeddings=tied)
    mean = [0.5] * 3
    pictures = Qwen2VLImageProcessorPil(
        patch_size=16, size={"shortest_edge": 65536, "longest_edge": 16777216}, image_mean=mean, image_std=mean
    )
    tokens = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
    return PictureShape(config, pictures, "bfloat16", tokens, {})


SMALL_EYE = {"depth": 24, "hidden_size": 1024, "intermediate_size": 4096, "deepstack_visual_indexes": [5, 11, 17]}
LARGE_EYE = {"depth": 27, "hidden_size": 1152, "intermediate_size": 4304, "deepstack_visual_indexes": [8, 16, 24]}


def smolvlm() -> PictureShape:
    text = {"model_type": "llama", "vocab_size": 49280, "hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32}
    text |= {"num_attention_heads": 15, "num_key_value_heads": 5, "head_dim": 64, "max_position_embeddings": 8192, "rms_norm_eps": 1e-5}
    text |= {"rope_parameters": {"rope_type": "default", "rope_theta": 1e5}}
    vision = {"hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12, "image_size": 512}
    config = Idefics3Config(text_config=text, vision_config={**vision, "patch_size": 16}, scale_factor=4, image_token_id=SOFT)
    tokens = ("<image>", "<fake_token_around_image>", "<global-img>", "<end_of_utterance>", *TILES)
    pictures = Idefics3ImageProcessorPil(size={"longest_edge": 2048}, max_image_size={"longest_edge": 512})
    return PictureShape(config, pictures, "bfloat16", tokens, {"image_seq_len": 64})


def llava() -> PictureShape:
    text = {"model_type": "llama", "vocab_size": 32064, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32}
    text |= {"num_attention_heads": 32, "max_position_embeddings": 4096, "rms_norm_eps": 1e-5}
    vision = {"model_type": "clip_vision_model", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24}
    vision |= {"num_attention_heads": 16, "image_size": 336, "patch_size": 14, "projection_dim": 768}
    chosen: dict[str, Any] = {"vision_feature_select_strategy": "default"}
    config = LlavaConfig(
        text_config=text,
        vision_config=vision,
        image_token_index=SOFT,
        image_seq_length=576,
        vision_feature_layer=-2,
        **chosen,
    )
    pictures = CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336})
    return PictureShape(config, pictures, "float16", ("<image>",), {"patch_size": 14, "num_additional_image_tokens": 1, **chosen})


# Made when asked for: a config takes a tenth of a second.
SHAPES: dict[str, Callable[[], PictureShape]] = {
    "random-smolvlm-500m": smolvlm,
    "random-llava-7b": llava,
    "random-qwen3-vl-2b": lambda: qwen3_vl(2048, 6144, 28, 16, True, SMALL_EYE),
    "random-qwen3-vl-4b": lambda: qwen3_vl(2560, 9728, 36, 32, True, SMALL_EYE),
    "random-qwen3-vl-8b": lambda: qwen3_vl(4096, 12288, 36, 32, False, LARGE_EYE),
}
