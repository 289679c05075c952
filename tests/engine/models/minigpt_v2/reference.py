"""MiniGPT-4 on Llama 2 and MiniGPT-v2 written down plainly: transformers' ViT and LLaMA, the adapters beside it, the release's prompt.

Tiny random weights in the release's own files. Weights and adapters are multiples of small powers of two, so that their sum is exact in
fp16: the import merges what is computed apart here.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from sentencepiece import SentencePieceProcessor
from torch import Tensor, nn
from torch.nn.functional import interpolate
from transformers import Blip2VisionConfig, Blip2VisionModel, LlamaConfig, LlamaForCausalLM

from engine.images.decode import Picture
from engine.prompts.turn import Turn
from engine.weights.checkpoint import Kind
from engine.weights.importing import Sources
from tests.engine.weights.release_files import GOLDEN, edit_json

NEW = 12  # tokens of an answer
PIXELS: dict[Kind, int] = {"minigpt4_llama2": 56, "minigpt_v2": 112}  # as 224 and 448 are to the ViT's own 224
SYSTEMS = {
    "minigpt4_llama2": "Give the following image: <Img>ImageContent</Img>. "
    "You will be able to see the image once I provide it to you. Please answer my questions.",
    "minigpt_v2": "",
}
ANSWERS = {"minigpt4_llama2": " [/INST] ", "minigpt_v2": " [/INST]"}
RANK, ALPHA = 8, 16


@dataclass
class Reference:
    """One of the two, its files in `folder`."""

    kind: Kind
    folder: Path
    vision: nn.Module
    projection: nn.Linear
    language: LlamaForCausalLM
    answers: dict[Any, list[int]] = field(default_factory=dict)

    @property
    def sources(self) -> Sources:
        files = {"vit": "eva_vit_g.pth", "checkpoint": "checkpoint.pth", "architecture": "architecture.json"}
        return Sources(llama=self.folder / "llama-hf", **{part: self.folder / name for part, name in files.items()})

    @torch.inference_mode()
    def see(self, picture: Image.Image) -> Tensor:
        """[tokens, width]: CLS is dropped, four neighbours stand side by side."""
        size = PIXELS[self.kind]
        scaled = np.asarray(picture.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)) / 255
        normed = (scaled - (0.48145466, 0.4578275, 0.40821073)) / (0.26862954, 0.26130258, 0.27577711)
        patches = self.vision(torch.tensor(normed, dtype=torch.float32).permute(2, 0, 1)[None]).last_hidden_state[0, 1:]
        out: Tensor = self.projection(torch.stack([torch.cat(list(patches[at : at + 4])) for at in range(0, len(patches), 4)]))
        return out

    def prompt(self, turns: Sequence[Turn]) -> tuple[str, list[Image.Image]]:
        """Each picture is a message of its own, and a question joins the picture before it."""
        text, shown = SYSTEMS[self.kind] if any(isinstance(part, Picture) for turn in turns for part in turn.parts) else "", []
        for turn in turns:
            pictures = [part.image for part in turn.parts if isinstance(part, Picture)]
            words = "".join(part for part in turn.parts if isinstance(part, str))
            shown += pictures
            if turn.role == "assistant":
                text += ANSWERS[self.kind] + words
            elif pictures:
                text += "<s>[INST] <Img><ImageHere></Img>" * len(pictures) + " " + words
            else:
                text += "<s>[INST] " + words
        return text + ANSWERS[self.kind], shown

    def embed(self, turns: Sequence[Turn]) -> Tensor:
        """[1, tokens, width]"""
        pieces = SentencePieceProcessor(model_file=str(self.folder / "llama-hf" / "tokenizer.model"))
        text, shown = self.prompt(turns)
        parts, begins = [], [pieces.bos_id()]
        for segment, picture in zip(text.split("<ImageHere>"), [*shown, None], strict=True):
            ids = begins
            for number, plain in enumerate(segment.split("<s>")):
                ids = ids + ([pieces.bos_id()] if number else []) + (pieces.encode(plain) if plain else [])
            parts += [self.language.model.embed_tokens(torch.tensor(ids, dtype=torch.long))] + ([self.see(picture)] if picture else [])
            begins = []
        return torch.cat(parts)[None]

    def answer(self, turns: Sequence[Turn], beams: int) -> tuple[list[int], int]:
        """The ids of an answer, and the length of its prompt."""
        embeddings = self.embed(turns)
        options: Any = {"max_new_tokens": NEW, "min_new_tokens": NEW, "do_sample": False, "num_beams": beams, "pad_token_id": 0}
        mask = torch.ones(embeddings.shape[:2], dtype=torch.long)
        model: Any = self.language
        ids = model.generate(inputs_embeds=embeddings, attention_mask=mask, **options)
        return ids[0].tolist(), embeddings.shape[1]


def steps(*shape: int, most: int, unit: int) -> Tensor:
    """Random multiples of 1 / `unit`, at most `most` of them."""
    return torch.randint(-most, most + 1, shape) / unit


def store(kind: Kind, folder: Path) -> Reference:
    """Writes the files of a tiny model, and computes it."""
    torch.manual_seed(5)
    golden = GOLDEN / "tiny-v0"
    llama = folder / "llama-hf"
    llama.mkdir(parents=True)
    for name in ("config.json", "tokenizer.model", "tokenizer_config.json"):
        shutil.copy(golden / "llama-hf" / name, llama)
    edit_json(llama / "config.json", max_position_embeddings=4096)
    for name in ("eva_vit_g.pth", "architecture.json"):
        shutil.copy(golden / name, folder)
    sizes = json.loads((folder / "architecture.json").read_text())
    sizes["vision"]["image_size"] = PIXELS[kind]
    (folder / "architecture.json").write_text(json.dumps(sizes))
    language = LlamaForCausalLM(LlamaConfig(**json.loads((llama / "config.json").read_text()) | {"bos_token_id": 1, "eos_token_id": 2}))
    language.eval().requires_grad_(False)
    for name, parameter in language.named_parameters():
        parameter.copy_(1 + steps(*parameter.shape, most=8, unit=64) if "norm" in name else steps(*parameter.shape, most=100, unit=512))
    torch.save({name: tensor.half() for name, tensor in language.state_dict().items()}, llama / "pytorch_model.bin")
    projection = nn.Linear(4 * sizes["vision"]["hidden_size"], language.config.hidden_size)
    nn.init.normal_(projection.weight, std=0.02)
    trained = {f"llama_proj.{name}": tensor for name, tensor in projection.state_dict().items()}
    if kind == "minigpt_v2":
        trained |= adapted(language)
    torch.save({"model": trained, "epoch": 3}, folder / "checkpoint.pth")
    return Reference(kind, folder, eye(sizes["vision"], golden / "eva_vit_g.pth"), projection.requires_grad_(False), language)


def adapted(language: LlamaForCausalLM) -> dict[str, Tensor]:
    """Puts adapters beside queries and values, as peft does; their weights under its names."""
    tensors: dict[str, Tensor] = {}
    for name, module in language.named_modules():
        if name.endswith(("q_proj", "v_proj")):
            a, b = steps(RANK, module.in_features, most=1, unit=8), steps(module.out_features, RANK, most=1, unit=4)
            module.register_forward_hook(lambda _, given, out, a=a, b=b: out + ALPHA / RANK * (given[0] @ a.T @ b.T))
            tensors |= {f"llama_model.base_model.model.{name}.lora_{half}.weight": tensor for half, tensor in (("A", a), ("B", b))}
    return tensors


def eye(sizes: dict[str, Any], file: Path) -> nn.Module:
    """BLIP-2's ViT with EVA's weights; its last norm is as it was made, its positions stretched to the picture's size."""
    stored = torch.load(file, weights_only=True)
    last = sizes["ln_vision_eps"]
    theirs: Any = Blip2VisionModel(Blip2VisionConfig(**{name: value for name, value in sizes.items() if name != "ln_vision_eps"})).eval()
    theirs.post_layernorm.eps = last
    side, before = sizes["image_size"] // sizes["patch_size"], int((stored["pos_embed"].shape[1] - 1) ** 0.5)
    grid = stored["pos_embed"][0, 1:].reshape(before, before, -1).permute(2, 0, 1)[None]
    if side != before:
        grid = interpolate(grid, size=side, mode="bicubic", align_corners=False)
    embeddings = theirs.embeddings
    embeddings.class_embedding.data = stored["cls_token"]
    embeddings.position_embedding.data = torch.cat((stored["pos_embed"][:, :1], grid[0].flatten(1).T[None]), dim=1)
    embeddings.patch_embedding.weight.data, embeddings.patch_embedding.bias.data = (
        stored[f"patch_embed.proj.{kind}"] for kind in ("weight", "bias")
    )
    for number, layer in enumerate(theirs.encoder.layers):
        own = {name.removeprefix(f"blocks.{number}."): tensor for name, tensor in stored.items() if name.startswith(f"blocks.{number}.")}
        q, v = own.pop("attn.q_bias"), own.pop("attn.v_bias")
        own["attn.qkv.bias"] = torch.cat((q, torch.zeros_like(q), v))
        renamed = {"attn.proj": "self_attn.projection", "attn.": "self_attn.", "norm": "layer_norm"}
        for old, new in renamed.items():
            own = {name.replace(old, new) if name.startswith(old) else name: tensor for name, tensor in own.items()}
        layer.load_state_dict(own)
    return theirs.requires_grad_(False)  # type: ignore[no-any-return]
