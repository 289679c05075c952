"""Where a run stands, whole on disk or not at all, so that one that was killed goes on to the same losses."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from engine.atomic_write import replacing
from engine.errors import DataError
from engine.training.alignment.recipe import RunSettings


@dataclass
class RunState:
    """`losses` has one a step; `held_out` those of the rows that are not trained on, by step, and `answers` what was said then."""

    losses: list[float] = field(default_factory=list)
    held_out: dict[int, float] = field(default_factory=dict)
    answers: dict[int, list[str]] = field(default_factory=dict)
    best: dict[str, Tensor] | None = None  # the weights with the least held-out loss
    best_step: int = 0

    @property
    def step(self) -> int:
        return len(self.losses)


@dataclass(frozen=True)
class Checkpoint:
    """One file. `settings` guard it: another run's is not gone on with."""

    path: Path
    settings: RunSettings
    rows: int

    def save(self, state: RunState, modules: nn.Module, optimizer: torch.optim.Optimizer, scaler: Any) -> None:
        content = {
            "settings": self.told,
            "state": asdict(state),
            "weights": weights_of(modules),
            "optimizer": optimizer.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
        }
        with replacing(self.path, durable=True) as part:
            torch.save(content, part)

    def load(self, modules: nn.Module, optimizer: torch.optim.Optimizer, scaler: Any) -> RunState:
        """The state where the last run ended, a fresh one if there was none. Raises DataError where that was another run."""
        if not self.path.is_file():
            return RunState()
        content = torch.load(self.path, map_location="cpu", weights_only=True)
        if content["settings"] != self.told:
            different = sorted(key for key in self.told if content["settings"].get(key) != self.told[key])
            raise DataError(
                f"{self.path.parent} holds a run with other settings ({', '.join(different)}). Give the same to go on with it, or "
                "another --out."
            )
        modules.load_state_dict(content["weights"])
        optimizer.load_state_dict(content["optimizer"])
        if scaler is not None:
            scaler.load_state_dict(content["scaler"])
        return RunState(**content["state"])

    @property
    def told(self) -> dict[str, Any]:
        return {**asdict(self.settings), "parts": list(self.settings.parts), "rows": self.rows}


def weights_of(modules: nn.Module) -> dict[str, Tensor]:
    """A copy on the host."""
    return {name: tensor.detach().cpu().clone() for name, tensor in modules.state_dict().items()}
