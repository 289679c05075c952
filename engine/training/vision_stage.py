"""The first training stage: scene reader, classifier and Q-Former learn from scenes of known content, without the language model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import affine_grid, cross_entropy, grid_sample, l1_loss, logsigmoid, normalize

from engine.models.pocket.bridge import Bridge, concept_tokens
from engine.models.pocket.efficientnet import SIDE, EfficientNet, normalise
from engine.models.pocket.scene import CELLS, SceneMaps
from engine.training.query_targets import FREE, TEMPERATURE

CROPS = 0.8  # of the named things are seen as a crop, the rest with the whole picture
CENTRE_WEIGHT, BOX_WEIGHT, NAME_WEIGHT, QUERY_WEIGHT = 1.0, 0.5, 0.5, 0.5


@dataclass(frozen=True)
class Scenes:
    """Prepared scenes on the training device, see `engine.training.data`."""

    pixels: Tensor  # uint8 [scenes, 224, 224, 3]
    truth: dict[str, Tensor]

    @classmethod
    def read(cls, folder: Path, device: torch.device) -> Scenes:
        pixels = torch.from_numpy(np.load(folder / "pixels.npy", mmap_mode="c"))
        with np.load(folder / "truth.npz") as file:
            truth = {key: torch.from_numpy(file[key]) for key in file}
        integral = {key: value.long() if not value.is_floating_point() else value for key, value in truth.items()}
        return cls(pixels.to(device), {key: value.to(device) for key, value in integral.items()})

    def rows(self, chosen: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        return self.pixels[chosen], {key: value[chosen] for key, value in self.truth.items()}


class VisionStage:
    """`embeddings` [words, width] is what the slots must match, `concepts` [1000, width] what EfficientNet's classes are called."""

    name = "look"

    def __init__(
        self, efficientnet: EfficientNet, bridge: Bridge, scenes: Scenes, embeddings: Tensor, concepts: Tensor, batch: int, seed: int
    ) -> None:
        self.efficientnet, self.bridge, self.scenes = efficientnet, bridge, scenes
        self.embeddings, self.concepts = normalize(embeddings, dim=-1), concepts
        self.batch, self.seed = batch, seed

    def trained(self) -> nn.Module:
        return self.bridge

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        rng = np.random.default_rng((self.seed, step))
        device = self.scenes.pixels.device
        chosen = torch.from_numpy(rng.integers(len(self.scenes.pixels), size=self.batch)).to(device)
        pixels, truth = self.scenes.rows(chosen)
        pictures = normalise(pixels)
        with torch.no_grad():
            image_features = self.efficientnet(pictures)
        maps = self.bridge.reader(image_features)
        tokens = self.bridge.qformer(image_features, maps, concept_tokens(image_features, self.concepts))
        parts = reader_losses(maps, truth) | {
            "name": NAME_WEIGHT * self.name_loss(pictures, truth, rng),
            "slots": QUERY_WEIGHT * query_loss(tokens, truth["slots"], self.embeddings),
        }
        total = torch.stack(list(parts.values())).sum()
        return total, {key: float(part.detach()) for key, part in parts.items()}

    def name_loss(self, pictures: Tensor, truth: dict[str, Tensor], rng: np.random.Generator) -> Tensor:
        rows = ((truth["names"][:, 0] >= 0) & (truth["count"] > 0)).nonzero()[:, 0]
        boxes = truth["boxes"][rows, 0].clone()
        whole = torch.from_numpy(rng.random(len(rows)) > CROPS).to(rows.device) & (truth["count"][rows] == 1)
        loosened = loosen(boxes, rng)
        boxes = torch.where(whole[:, None], torch.tensor((0.5, 0.5, 1.0, 1.0), device=rows.device), loosened)
        with torch.no_grad():
            image_features = self.efficientnet(crop(pictures[rows], boxes))
        return cross_entropy(self.bridge.classifier(image_features).float(), truth["names"][rows, 0], label_smoothing=0.05)


def loosen(boxes: Tensor, rng: np.random.Generator) -> Tensor:
    """The boxes, shifted and scaled a little and with a margin, as a detector finds them."""
    noise = torch.from_numpy(rng.uniform(-1, 1, (len(boxes), 3)).astype(np.float32)).to(boxes.device)
    side = boxes[:, 2:].amax(1, keepdim=True) * (1.25 + 0.22 * noise[:, :1])
    return torch.cat((boxes[:, :2] + 0.08 * side * noise[:, 1:], side, side), dim=1)


def crop(pictures: Tensor, boxes: Tensor) -> Tensor:
    """[n, 3, 224, 224] and boxes as fractions of the sides → each box enlarged to the whole picture."""
    theta = torch.zeros(len(boxes), 2, 3, device=boxes.device)
    theta[:, 0, 0], theta[:, 1, 1] = boxes[:, 2], boxes[:, 3]
    theta[:, :, 2] = 2 * boxes[:, :2] - 1
    grid = affine_grid(theta, [len(boxes), 3, SIDE, SIDE], align_corners=False)
    return grid_sample(pictures.float(), grid, mode="bilinear", padding_mode="border", align_corners=False)


def query_loss(tokens: Tensor, slots: Tensor, embeddings: Tensor) -> Tensor:
    """Cosine similarity of each query to every word's embedding, as a classification."""
    logits = normalize(tokens.float(), dim=-1) @ embeddings.T / TEMPERATURE
    return cross_entropy(logits.flatten(0, 1), slots.flatten(), ignore_index=FREE)


def reader_losses(maps: SceneMaps, truth: dict[str, Tensor]) -> dict[str, Tensor]:
    present = torch.arange(truth["shapes"].shape[1], device=maps.centre.device) < truth["count"][:, None]
    row, thing = present.nonzero(as_tuple=True)
    boxes = truth["boxes"][row, thing]
    x, y = ((boxes[:, i] * CELLS).long().clamp(0, CELLS - 1) for i in (0, 1))
    shapes = truth["shapes"][row, thing]
    shapes = torch.where(shapes < 0, maps.shape.shape[1] - 1, shapes)
    offsets = boxes[:, :2] * CELLS - torch.stack((x, y), 1) - 0.5
    target = torch.cat((offsets, (boxes[:, 2:] * CELLS).clamp_min(0.3).log()), 1)
    return {
        "centre": CENTRE_WEIGHT * centre_loss(maps.centre.float(), row, x, y, truth["boxes"], present),
        "box": BOX_WEIGHT * l1_loss(maps.box.float()[row, :, y, x], target),
        "shape": 0.5 * cross_entropy(maps.shape.float()[row, :, y, x], shapes),
        "colour": 0.5 * cross_entropy(maps.colour.float()[row, :, y, x], truth["shares"][row, thing]),
        "kind": 0.5 * cross_entropy(maps.kind.float(), truth["kind"]),
        "ground": 0.5 * cross_entropy(maps.background.float(), truth["background"]),
    }


def centre_loss(logits: Tensor, row: Tensor, x: Tensor, y: Tensor, boxes: Tensor, present: Tensor) -> Tensor:
    """The penalty-reduced focal loss of "Objects as points", equation 1 (alpha 2, beta 4), per thing."""
    cells = torch.arange(CELLS, device=logits.device)
    spread = (boxes[..., 2:].amin(-1) * CELLS / 6).clamp(0.6, 2.5)
    across, down = ((boxes[..., i] * CELLS).long().clamp(0, CELLS - 1)[..., None, None] for i in (0, 1))
    distance = (cells[None, :] - across) ** 2 + (cells[:, None] - down) ** 2  # [batch, things, 28, 28]
    bumps = torch.exp(-distance / (2 * spread[..., None, None] ** 2))
    heat = (bumps * present[..., None, None]).amax(1)
    centres = torch.zeros_like(logits, dtype=torch.bool)
    centres[row, y, x] = True
    probability = logits.sigmoid()
    positive = -((1 - probability) ** 2 * logsigmoid(logits))[centres].sum()
    negative = -((1 - heat) ** 4 * probability**2 * logsigmoid(-logits))[~centres].sum()
    return (positive + negative) / max(1, len(row))


def rate_of_scale(embeddings: Tensor) -> float:
    """The usual length of the language model's embeddings."""
    return math.sqrt(float(embeddings.float().pow(2).sum(-1).mean()))
