"""The connector of a hub's model, in transformers' own modules: what stands between its vision tower and its language model is trained.

Families cut, reorder and tag what the connector gives, each in its own way. To leave all of that to their own code, a picture is looked at
once with the connector's rows numbered: from where the numbers end up it is known which row goes where.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any

import torch
from PIL import Image
from torch import Tensor, nn

from engine.errors import ModelError
from engine.models.base import EncodedPicture
from engine.models.pretrained.model import PretrainedModel
from engine.training.alignment.features import Features

# In `PretrainedModel.vision.model`; Qwen3-VL has more of them, whose rows go behind the language model's first layers.
CONNECTORS = ("connector", "multi_modal_projector", "visual.merger")
DEEPSTACK = "visual.deepstack_merger_list"
BASE, MARK = 128, 1024.0  # digits and a mark that every type of number has exactly


class NativeConnector:
    """Frozen is the vision tower, and what a family has besides the connector: tags, and the ends of rows."""

    def __init__(self, model: PretrainedModel) -> None:
        """Raises ModelError where no connector is known."""
        self.model = model
        self.sources = connectors_of(model)
        self.trained = nn.ModuleDict({name.replace(".", "/"): trained_copy(module) for name, module in self.sources.items()})

    @torch.no_grad()
    def freeze(self, pictures: Sequence[Image.Image]) -> list[Features]:
        """One by one, as it is served."""
        return [self.look(picture) for picture in self.model.prepare(pictures)]

    def look(self, picture: Image.Image) -> Features:
        """What the connectors read, by their numbers, and the places of the rows that they make of it."""
        read: dict[str, Tensor] = {}
        with ExitStack() as hooks:
            for name, module in self.sources.items():
                hooks.enter_context(numbering(module, partial(read.__setitem__, name)))
            made = self.model.look(picture)
        wholes = [made.embeddings, *(made.deepstack if made.deepstack is not None else ())]
        tensors = {"embeddings": made.embeddings.cpu()}
        for name, whole in zip(self.sources, wholes, strict=True):
            tensors |= {f"{name} read": read[name].cpu(), f"{name} rows": rows_in(whole.float().cpu(), self.model.card.name)}
        return Features(tensors, len(made.embeddings), made.words, made.grid)

    def connect(self, features: Sequence[Features]) -> list[EncodedPicture]:
        """In fp32, as many tokens as each picture's shape asks for."""
        return [self.connected(each) for each in features]

    def connected(self, features: Features) -> EncodedPicture:
        device = self.model.device
        made = [self.rows(name, features, device) for name in self.sources]
        rows, soft = features.tensors[f"{next(iter(self.sources))} rows"].to(device), made[0]
        places = (rows >= 0).nonzero()[:, 0]
        embeddings = features.tensors["embeddings"].to(device).float().index_copy(0, places, soft)
        return EncodedPicture(embeddings, features.words, features.grid, torch.stack(made[1:]) if len(made) > 1 else None)

    def rows(self, name: str, features: Features, device: torch.device) -> Tensor:
        """What a connector makes of a picture, [soft tokens, width], in the order that they stand in."""
        rows = features.tensors[f"{name} rows"].to(device)
        found: Tensor = self.trained[name.replace(".", "/")](features.tensors[f"{name} read"].to(device).float())
        return found.reshape(-1, found.shape[-1])[rows[rows >= 0]]

    def stored(self) -> Mapping[str, Tensor]:
        """By the names that transformers gives them, without its own prefix."""
        return {
            f"{name.replace('/', '.')}.{own}": tensor
            for name, module in self.trained.items()
            for own, tensor in module.state_dict().items()
        }


def connectors_of(model: PretrainedModel) -> dict[str, nn.Module]:
    """By their names inside transformers' model; the first makes a picture's tokens, others what is added behind layers."""
    inside: Any = model.vision.base_model
    modules = dict(inside.named_modules())
    found = {name: modules[name] for name in CONNECTORS if name in modules}
    if not found:
        raise ModelError(f"{model.card.name} is of a family whose connector isn't known to training. `--train lora` works.")
    return found | {f"{DEEPSTACK}.{name}": module for name, module in modules.get(DEEPSTACK, nn.ModuleList()).named_children()}


def trained_copy(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).float().requires_grad_(True)


@contextmanager
def numbering(module: nn.Module, read: Any) -> Iterator[None]:
    """While it lasts `read` is told what the module reads, and the module gives the numbers of its rows instead of what it would."""

    def hook(module: nn.Module, given: tuple[Tensor, ...], named: dict[str, Tensor], made: Tensor) -> Tensor:
        read(next(iter((*given, *named.values()))).detach().clone())
        return numbered(made)

    handle = module.register_forward_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


def numbered(made: Tensor) -> Tensor:
    """Of the same shape and type, each row with its number in three digits, and a mark behind them."""
    numbers = torch.arange(made[..., 0].numel(), device=made.device)
    digits = torch.stack([numbers // BASE**power % BASE for power in range(3)], dim=-1).to(made.dtype)
    rows = torch.zeros_like(made).flatten(0, -2)
    rows[:, :3], rows[:, 3] = digits, MARK
    return rows.view_as(made)


def rows_in(found: Tensor, name: str) -> Tensor:
    """The number of the row in each place, [tokens], −1 where none stands. Raises ModelError where a row is a mixture of several."""
    marked = found[:, 3] == MARK
    rows = (found[:, :3] * torch.tensor([1.0, BASE, BASE**2])).sum(1)
    own = rows[marked]
    if not marked.any() or (own != own.round()).any() or len(own.unique()) < len(own):
        raise ModelError(f"{name} scales what its connector makes of this picture, and so it can't be trained. Take a smaller picture.")
    return torch.where(marked, rows, -1.0).long()
