"""Measures a trained bridge on prepared scenes that it was not trained on, and lists its failures."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from safetensors.torch import load_file

from engine.models.pocket.bridge import Bridge
from engine.models.pocket.efficientnet import normalise
from engine.models.pocket.scene import Kind, find
from engine.models.pocket.vocabulary import COLOURS, SHAPES
from engine.training.language_stage import LanguageStage
from engine.training.run import FrozenParts, add_adapters, openings, read_bridge, read_chats, soft_tokens
from engine.training.vision_stage import Scenes, crop


@torch.inference_mode()
def measure_vision(
    parts: FrozenParts, bridge: Bridge, data: Path, accelerator: Accelerator, batch: int = 256
) -> dict[str, tuple[float, int]]:
    """(share right, how many) of each output of the scene reader and the classifier."""
    scenes = Scenes.read(data, accelerator.device)
    right: dict[str, list[bool]] = defaultdict(list)
    for start in range(0, len(scenes.pixels), batch):
        pixels, truth = scenes.rows(torch.arange(start, min(start + batch, len(scenes.pixels)), device=accelerator.device))
        pictures = normalise(pixels)
        with accelerator.autocast():
            image_features = parts.efficientnet(pictures)
            maps = bridge.reader(image_features)
            named = bridge.classifier(parts.efficientnet(crop(pictures, padded(truth["boxes"][:, 0])))).float().topk(5).indices
        for row in range(len(pixels)):
            kind, count = Kind(int(truth["kind"][row])), int(truth["count"][row])
            right["kind"].append(int(maps.kind[row].argmax()) == kind)
            right["background"].append(int(maps.background[row].argmax()) == int(truth["background"][row]))
            found = find(maps, row)
            if count:
                right[f"count of {kind.name.lower()}"].append(len(found) == count)
            if kind is Kind.SHAPES and len(found) == count:
                said = sorted((thing.shape or "", thing.colours[0][0]) for thing in found)
                is_so = sorted(
                    (SHAPES[int(s)], COLOURS[int(c)])
                    for s, c in zip(truth["shapes"][row, :count], truth["shares"][row, :count].argmax(-1), strict=True)
                )
                right["shapes"].append([s for s, _ in said] == [s for s, _ in is_so])
                right["shapes and colours"].append(said == is_so)
            if kind is Kind.THINGS and int(truth["names"][row, 0]) >= 0:
                right["name"].append(int(named[row, 0]) == int(truth["names"][row, 0]))
                right["name in five"].append(int(truth["names"][row, 0]) in named[row].tolist())
    return {key: (float(np.mean(values)), len(values)) for key, values in right.items()}


def padded(boxes: torch.Tensor) -> torch.Tensor:
    side = boxes[:, 2:].amax(1, keepdim=True).clamp_min(0.05) * 1.25
    return torch.cat((boxes[:, :2], side, side), dim=1)


@torch.inference_mode()
def measure_language(
    parts: FrozenParts, out: Path, data: Path, accelerator: Accelerator, batch: int = 64, failures: int = 150
) -> tuple[float, int, list[str]]:
    """The share of answers that greedy decoding gives word for word after the true conversation so far, and some wrong ones."""
    bridge = read_bridge(out / "look.safetensors", parts.language.config.hidden_size, accelerator.device)
    adapters = add_adapters(parts.language, 0)
    adapters.load_state_dict(load_file(out / "speak.safetensors"))
    adapters.to(accelerator.device)
    chats = read_chats(parts, data)
    lines = (data / "chats.jsonl").read_text(encoding="utf-8").splitlines()
    stage = LanguageStage(
        parts.language, adapters, chats, soft_tokens(parts, bridge, data, accelerator), openings(parts, accelerator.device), batch, 0
    )
    right, wrong = 0, []
    total = 0
    order = np.argsort(chats.lengths, kind="stable")
    for start in range(0, len(order), batch):
        rows = order[start : start + batch]
        with accelerator.autocast():
            hidden, targets = stage.run(rows, stage.openings[0])
            said = parts.language.logits(hidden).argmax(-1)
        words, turns = zip(*(json.loads(lines[row]) for row in rows), strict=True)
        place = 0
        for line, talk in zip(words, turns, strict=True):
            for question, answer in talk:
                length = len(parts.encode(answer + parts.prompt.end))
                guess = said[place : place + length]
                fine = bool((guess == targets[place : place + length]).all())
                right, total, place = right + fine, total + 1, place + length
                if not fine:
                    wrong.append(f"{line} | {question} | {answer} | {parts.tokenizer.decode(guess.tolist())}")
    picked = np.random.default_rng(0).permutation(len(wrong))[:failures]
    return right / total, total, [wrong[i] for i in picked]
