"""What a person sees of a run: lines or a bar on the terminal, TensorBoard's curves, and the answers to a few fixed pictures."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.training.alignment.answers import answer
from engine.training.alignment.checkpoint import RunState
from engine.training.alignment.dataset import Example
from engine.training.alignment.parts import TrainedModel
from engine.training.alignment.recipe import RunSettings
from engine.training.alignment.rows import RowSource

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

LOSSES = "losses.jsonl"
EVENTS = "tensorboard"
NO_TENSORBOARD = "TensorBoard's curves are not written: its package is missing (the extra `train`). losses.jsonl has all numbers."


@dataclass
class Watch:
    """Implements `engine.training.alignment.loop.Watcher`. `shown` are the examples whose answers are told."""

    trained: TrainedModel
    source: RowSource
    settings: RunSettings
    folder: Path
    shown: Sequence[Example]
    say: Callable[[str], None]
    told: int = 0
    seen: tuple[float, int] = (0.0, 0)  # when the last line came, and its step
    events: SummaryWriter | None = None

    def begins(self, state: RunState) -> None:
        """TensorBoard's curves are written anew: a kill took some of the old ones, and others it took back."""
        self.events = summary_writer(self.folder / EVENTS)
        if self.events is None:
            self.say(NO_TENSORBOARD)
        else:
            for step, loss in state.held_out.items():
                self.events.add_scalar("held-out loss", loss, step)
        if state.step:
            self.say(f"Goes on after step {state.step}, where {self.folder} left off.")
        self.seen = time.monotonic(), state.step

    def stepped(self, state: RunState) -> None:
        """One line, and the numbers for TensorBoard."""
        now = time.monotonic()
        before, step = self.seen
        pace = (state.step - step) / max(now - before, 1e-9)  # steps a second
        left = (self.settings.steps - state.step) / max(pace, 1e-9)
        fresh = state.losses[step:]
        self.say(
            f"step {state.step}/{self.settings.steps}  loss {sum(fresh) / max(len(fresh), 1):.3f}  "
            f"{pace * self.settings.batch:.1f} pictures/s  {duration(left)} left"
        )
        self.write(state, pace)
        self.seen = now, state.step

    def write(self, state: RunState, pace: float) -> None:
        """All losses so far, anew: a run that goes on must not leave those twice that a kill took back."""
        lines = (json.dumps({"step": step, "loss": loss, "rate": self.settings.rate_at(step)}) for step, loss in enumerate(state.losses))
        (self.folder / LOSSES).write_text("\n".join(lines) + "\n", encoding="utf-8")
        if self.events is not None:
            for step in range(self.told, state.step):
                self.events.add_scalar("loss", state.losses[step], step)
                self.events.add_scalar("rate", self.settings.rate_at(step), step)
            self.events.add_scalar("pictures a second", pace * self.settings.batch, state.step)
            self.told = state.step

    def evaluated(self, state: RunState) -> None:
        """The held-out loss, and what the model says now."""
        if (loss := state.held_out.get(state.step)) is not None:
            best = "  the best so far" if state.best_step == state.step else ""
            self.say(f"step {state.step}/{self.settings.steps}  held-out loss {loss:.3f}{best}")
            if self.events is not None:
                self.events.add_scalar("held-out loss", loss, state.step)
        state.answers[state.step] = [answer(self.trained, self.source, example) for example in self.shown]
        for example, said in zip(self.shown, state.answers[state.step], strict=True):
            self.say(f"  {example.where}: {said!r}")

    def close(self) -> None:
        if self.events is not None:
            self.events.close()


def summary_writer(folder: Path) -> SummaryWriter | None:
    """Whose events take the place of all earlier ones in the folder; None without TensorBoard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder), purge_step=0)


def duration(seconds: float) -> str:
    """3725 → `1:02:05`, 65 → `1:05`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
