"""A whole vision-language model small enough for any test: random weights, a byte-level tokenizer, a trivial picture encoder.

Its head is scaled, so that the likeliest token leads clearly and rounding never decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from PIL import Image
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from engine.models.base import EncodedPicture
from engine.models.card import Card, Generation, Template
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Llama
from engine.models.tokenizer import JsonTokenizer

BOS, EOS = "<s>", "</s>"
CHATML = Template(
    bos=False,
    system="<|im_start|>system\n{content}<|im_end|>\n",
    default_system="You are tiny.",
    user="<|im_start|>user\n{content}<|im_end|>\n",
    assistant="<|im_start|>assistant\n{content}<|im_end|>\n",
    answer="<|im_start|>assistant\n",
    picture="{picture}\n{words}\n",
    markers=("<|im_start|>", "<|im_end|>"),
)
CONFIG = LlamaConfig(
    vocab_size=258,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=8,
    rms_norm_eps=1e-5,
)


def tiny_tokenizer(kind: type[JsonTokenizer] = JsonTokenizer) -> JsonTokenizer:
    """256 bytes, then BOS and EOS."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([BOS, EOS])
    return kind(tokenizer, BOS, [EOS])


def tiny_card(template: Template = CHATML, context_length: int = 600) -> Card:
    generation = Generation(temperature=0.0, max_tokens=24)
    return Card(name="tiny", architecture="pocket", context_length=context_length, template=template, generation=generation)


def tiny_language(seed: int = 0, config: LlamaConfig = CONFIG) -> Llama:
    generator = torch.Generator().manual_seed(seed)
    language = Llama(config)
    for name, weight in language.named_parameters():
        if "norm" not in name:
            scale = 2.0 if "lm_head" in name else 0.3
            weight.data.normal_(std=scale, generator=generator)
    return language.eval()


@dataclass
class TinyModel:
    """`encoded` counts the pictures that were encoded."""

    card: Card = field(default_factory=tiny_card)
    tokenizer: JsonTokenizer = field(default_factory=tiny_tokenizer)
    language_model: Llama = field(default_factory=tiny_language)
    encoded: int = 0

    @property
    def device(self) -> torch.device:
        return self.language_model.device

    @property
    def eye_pixels(self) -> None:
        return None

    def capture(self, batches: Sequence[int]) -> None:
        """There is nothing to capture."""

    def prepare(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """Miniatures."""
        return [picture.resize((4, 4)) for picture in pictures]

    def encode(self, pictures: Sequence[Image.Image]) -> list[EncodedPicture]:
        """Four tokens a picture: the rows of its 4×4 miniature, spread over the width."""
        self.encoded += len(pictures)
        return [self.look(picture) for picture in pictures]

    def look(self, picture: Image.Image) -> EncodedPicture:
        pixels = torch.from_numpy(np.array(picture.resize((4, 4)), dtype=np.float32)).flatten(1) / 127.5 - 1  # [4, 12]
        width = self.language_model.config.hidden_size
        return EncodedPicture(pixels.repeat(1, -(-width // 12))[:, :width], "something small")
