"""The pocket model: a toy that sees. A frozen eye, a small trained bridge, and a small language model.

It knows colours, counts, shapes, places and common animals and things; it names no people and reads no text.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image
from torch import Tensor, nn

from engine.errors import WeightsError
from engine.models.base import EncodedPicture, Tokenizer
from engine.models.card import Card
from engine.models.llama.llama import Llama
from engine.models.pocket.bridge import LORA_RANK, Bridge, embed_words
from engine.models.pocket.efficientnet import Eye
from engine.models.pocket.perception import Perception
from engine.models.pocket.scene_facts import words
from engine.models.pocket.vocabulary import imagenet
from engine.models.tokenizer import JsonTokenizer
from engine.weights.loader import load_language, load_tensors
from engine.weights.pocket import BRIDGE


class Pocket:
    """The parts, as `engine.models.base.VisionLanguageModel` asks for them."""

    def __init__(self, card: Card, tokenizer: Tokenizer, perception: Perception, language: Llama) -> None:
        self.card, self.tokenizer = card, tokenizer
        self.perception, self.language = perception, language

    @property
    def device(self) -> torch.device:
        return self.perception.device

    def capture(self, batches: Sequence[int]) -> None:
        """Nothing to do: pictures are looked at one by one, and not only by the device."""

    def prepare(self, pictures: Sequence[Image.Image]) -> list[Image.Image]:
        """As they are: it looks at details in their own size."""
        return list(pictures)

    def encode(self, pictures: Sequence[Image.Image]) -> list[EncodedPicture]:
        """RGB pictures of any size → 24 soft tokens each, and a line of words."""
        seen = [self.perception.see(picture) for picture in pictures]
        return [EncodedPicture(soft, words(facts)) for facts, soft in seen]


def load(folder: Path, card: Card, device: torch.device, dtype: torch.dtype) -> Pocket:
    """From a ready folder, with the bridge that the repository ships. The eye and the bridge stay in fp32: they are small."""
    language = load_language(folder, card, device, dtype)
    tokenizer = JsonTokenizer.read(folder)
    eye = Eye()
    eye.load_weights(load_tensors(folder / "eye.safetensors"))
    bridge = Bridge(language.config.hidden_size)
    load_bridge(bridge, language, load_tensors(BRIDGE))
    table = language.model.embed_tokens.weight.detach().float().cpu()
    concepts = embed_words([entry.fine for entry in imagenet()], tokenizer.encode, table)
    return Pocket(card, tokenizer, Perception(eye.to(device), bridge.to(device).eval(), concepts.to(device)), language)


def load_bridge(bridge: Bridge, language: Llama, tensors: dict[str, Tensor]) -> None:
    """Fills the bridge and gives the language model its LoRA branches. Raises WeightsError that names what does not fit."""
    branches = nn.ModuleList(language.add_lora(LORA_RANK))
    both = nn.ModuleDict({"bridge": bridge, "lora": branches})
    try:
        both.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    except RuntimeError as error:
        raise WeightsError(f"{BRIDGE} is not this version's bridge: {error}") from None
    branches.to(language.device).requires_grad_(False)
