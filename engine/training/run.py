"""The stages of training the pocket model; each reads files and writes files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor, nn

from engine.models.card_reader import read_card
from engine.models.llama.llama import Llama
from engine.models.pocket.bridge import LORA_RANK, Bridge, concept_tokens, embed_words
from engine.models.pocket.efficientnet import EfficientNet, normalise
from engine.models.pocket.vocabulary import imagenet
from engine.training.language_stage import Chats, LanguageStage, Prompt, tokenise
from engine.training.loop import Schedule, train
from engine.training.query_targets import TABLE
from engine.training.vision_stage import Scenes, VisionStage, rate_of_scale
from engine.weights.loader import load_language, load_tensors

Say = Callable[[str], None]


@dataclass(frozen=True)
class FrozenParts:
    """The frozen parts of a ready folder, on the training device."""

    efficientnet: EfficientNet
    language: Llama
    tokenizer: Tokenizer
    prompt: Prompt

    @classmethod
    def load(cls, folder: Path, device: torch.device, dtype: torch.dtype) -> FrozenParts:
        efficientnet = EfficientNet()
        efficientnet.load_weights(load_tensors(folder / "eye.safetensors"))
        language = load_language(folder, read_card(folder).model_copy(update={"quantization": "none"}), device, dtype).requires_grad_(False)
        return cls(
            efficientnet.to(device), language, Tokenizer.from_file(str(folder / "tokenizer.json")), Prompt.read(folder / "gander.json")
        )

    @property
    def embeddings(self) -> Tensor:
        return self.language.model.embed_tokens.weight.detach().float().cpu()

    def encode(self, text: str) -> list[int]:
        """Token ids of the text; special tokens only where it contains them."""
        ids: list[int] = self.tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def concepts(self) -> Tensor:
        return embed_words([entry.fine for entry in imagenet()], self.encode, self.embeddings)


def train_vision(
    parts: FrozenParts, data: Path, out: Path, schedule: Schedule, batch: int, accelerator: Accelerator, say: Say
) -> list[float]:
    """Trains the bridge and writes `look.safetensors`."""
    device = accelerator.device
    torch.manual_seed(schedule.seed)
    bridge = Bridge(parts.language.config.hidden_size).to(device)
    nn.init.constant_(bridge.qformer.length, rate_of_scale(parts.embeddings))
    table = embed_words(TABLE, parts.encode, parts.embeddings)
    stage = VisionStage(
        parts.efficientnet, bridge, Scenes.read(data, device), table.to(device), parts.concepts().to(device), batch, schedule.seed
    )
    losses = train(stage, schedule, out, accelerator, say)
    save_file({name: value.contiguous() for name, value in bridge.state_dict().items()}, out / "look.safetensors")
    return losses


@torch.inference_mode()
def soft_tokens(parts: FrozenParts, bridge: Bridge, data: Path, accelerator: Accelerator, batch: int = 256) -> Tensor:
    """The Q-Former's soft tokens of every prepared scene, [scenes, 24, width]."""
    pixels = np.load(data / "pixels.npy", mmap_mode="c")
    concepts = parts.concepts().to(accelerator.device)
    rows = []
    for start in range(0, len(pixels), batch):
        with accelerator.autocast():
            image_features = parts.efficientnet(normalise(torch.from_numpy(pixels[start : start + batch]).to(accelerator.device)))
            rows.append(
                bridge.qformer(image_features, bridge.reader(image_features), concept_tokens(image_features, concepts)).to(torch.bfloat16)
            )
    return torch.cat(rows)


def read_bridge(path: Path, width: int, device: torch.device) -> Bridge:
    bridge = Bridge(width)
    bridge.load_state_dict(load_file(path))
    return bridge.to(device).eval()


def read_chats(parts: FrozenParts, data: Path) -> Chats:
    lines = (data / "chats.jsonl").read_text(encoding="utf-8").splitlines()
    scenes = len(np.load(data / "pixels.npy", mmap_mode="r"))
    return tokenise(lines, len(lines) // scenes, parts.prompt, parts.tokenizer)


def add_adapters(language: Llama, seed: int) -> nn.ModuleList:
    torch.manual_seed(seed)
    return nn.ModuleList(language.add_lora(LORA_RANK)).requires_grad_(True)


def train_language(
    parts: FrozenParts, data: Path, out: Path, schedule: Schedule, batch: int, accelerator: Accelerator, say: Say
) -> list[float]:
    """Trains the LoRA adapters on chats about the scenes of `look.safetensors`, and writes `speak.safetensors`."""
    device = accelerator.device
    bridge = read_bridge(out / "look.safetensors", parts.language.config.hidden_size, device)
    soft = soft_tokens(parts, bridge, data, accelerator).clone()
    say(f"speak: {len(soft)} scenes encoded")
    stage = LanguageStage(
        parts.language,
        add_adapters(parts.language, schedule.seed),
        read_chats(parts, data),
        soft,
        openings(parts, device),
        batch,
        schedule.seed,
    )
    losses = train(stage, schedule, out, accelerator, say)
    save_file({name: value.contiguous() for name, value in stage.adapters.state_dict().items()}, out / "speak.safetensors")
    return losses


def openings(parts: FrozenParts, device: torch.device) -> list[Tensor]:
    """Token ids of what stands before the picture, under each system prompt."""
    return [torch.tensor(parts.encode(text), device=device) for text in parts.prompt.before]


def export(folder: Path, path: Path) -> None:
    """Joins what both stages wrote into the bridge that the repository ships, in bf16."""
    parts = {"bridge": load_file(folder / "look.safetensors"), "lora": load_file(folder / "speak.safetensors")}
    joined = {f"{part}.{name}": tensor.to(torch.bfloat16) for part, tensors in parts.items() for name, tensor in tensors.items()}
    save_file(joined, path, metadata={"format": "pt"})
