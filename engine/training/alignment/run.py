"""One run from data to a model that can be served: opens the base, trains, exports what was best, and writes the report."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from accelerate import Accelerator

from engine.errors import DataError
from engine.training.alignment.batches import Order
from engine.training.alignment.checkpoint import Checkpoint, RunState
from engine.training.alignment.dataset import Bad, BadRow, Dataset, listed
from engine.training.alignment.export import export_model
from engine.training.alignment.features import FeatureStore
from engine.training.alignment.loop import Trainer
from engine.training.alignment.parts import TrainedModel
from engine.training.alignment.recipe import RunSettings
from engine.training.alignment.report import write_report
from engine.training.alignment.rows import RowSource, Split, first_batches
from engine.training.alignment.states import keeps_states, told_states
from engine.training.alignment.templates import RowWriter
from engine.training.alignment.watch import Watch

CHECKPOINT = "checkpoint.pt"
REPORT = "report.html"
FEATURES = "features"
STATES = "states"
SKIPPED = "skipped.txt"
RUN = "training"  # the folder inside of the model's that holds all but the model
Say = Callable[[str], None]


@dataclass(frozen=True)
class RunOptions:
    """How a run is done, which changes nothing of what it computes."""

    out: Path
    bad: Bad = "refuse"
    features_on_disk: bool = False
    save_every: int = 100
    evaluate_every: int = 100
    show: int = 4
    micro: int | None = None

    @property
    def folder(self) -> Path:
        return self.out / RUN


def train_model(
    trained: TrainedModel, base: Path | None, data: Dataset, settings: RunSettings, options: RunOptions, accelerator: Accelerator, say: Say
) -> RunState:
    """Trains and exports; goes on where an earlier run with the same settings ended.

    Raises DataError where there is too little data, and for bad rows that are not to be skipped.
    """
    check_size(data, settings, accelerator)
    options.folder.mkdir(parents=True, exist_ok=True)
    keep_skipped(options.folder / SKIPPED, data.bad, accelerator)
    split = Split.draw(data.examples, settings.held_out, settings.seed)
    source = row_source(trained, split, settings, options, accelerator)
    shown = (split.held_out or split.trained)[: options.show]
    if accelerator.is_main_process:
        foretell_states(source, split, settings, say)
    with watching(Watch(trained, source, settings, options.folder, shown, say)) as watch, interruptible(say) as stopped:
        checkpoint = Checkpoint(options.folder / CHECKPOINT, settings, len(data))
        trainer = Trainer(
            trained, split, source, settings, checkpoint, accelerator, watch, options.save_every, options.evaluate_every, options.micro
        )
        began = time.monotonic()
        state = trainer.run(stopped)
    if accelerator.is_main_process:
        keep_skipped(options.folder / SKIPPED, [*data.bad, *source.skipped.values()], accelerator)
        tell_rows(source, say)
        finish(trained, base, state, options, settings, say)
        write_report(options.folder / REPORT, settings, state, shown, time.monotonic() - began)
        say(f"Report: {options.folder / REPORT}")
    return state


def check_size(data: Dataset, settings: RunSettings, accelerator: Accelerator) -> None:
    if len(data) < 2:
        raise DataError(f"There are {len(data)} rows that can be used; training takes at least two.\n{listed(data.bad)}".rstrip())
    if settings.batch < accelerator.num_processes:
        raise DataError(f"--batch {settings.batch} is less than the {accelerator.num_processes} processes that share it.")


def keep_skipped(path: Path, rows: Sequence[BadRow], accelerator: Accelerator) -> None:
    """All rows that are left out, each with its reason: the terminal shows the first."""
    if accelerator.is_main_process:
        path.unlink(missing_ok=True)
        if rows:
            path.write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def row_source(trained: TrainedModel, split: Split, settings: RunSettings, options: RunOptions, accelerator: Accelerator) -> RowSource:
    order = Order(len(split.trained), settings.batch, settings.seed)
    kind = f"{settings.base.replace('/', '_')}-{'-'.join(settings.parts)}-{settings.precision}"
    features = options.folder / FEATURES / kind if options.features_on_disk else None
    store = FeatureStore(trained.connector, first_batches(order, split, accelerator.num_processes), features)
    states = keeps_states(trained, options.folder / STATES / f"{kind}-{trained.frozen_layers}" if options.features_on_disk else None)
    writer = RowWriter(trained.model, settings.stage, settings.longest)
    return RowSource(writer, store, trained.model.device, options.bad, states=states)


def foretell_states(source: RowSource, split: Split, settings: RunSettings, say: Say) -> None:
    """What keeping the rows' states will take, by the rows of the first step."""
    if source.states is None:
        return
    first = Order(len(split.trained), settings.batch, settings.seed).step(0)
    rows = [row for at in first if (row := source.row(split.trained[at])) is not None]
    if rows:
        say(told_states(source.states, [len(row) for row in rows], len(split.trained) + len(split.held_out)))


def tell_rows(source: RowSource, say: Say) -> None:
    """What was left out, and what the features take."""
    if source.skipped:
        say(f"{len(source.skipped)} rows were skipped while training:\n{listed(list(source.skipped.values()))}")
    if cut := sum(row.cut > 0 for row in source.written.values()):
        say(f"{cut} of {len(source.written)} rows were cut at {source.writer.longest} tokens of answer.")
    store = source.store
    if store.computed:
        where = "in memory" if store.folder is None else f"in {store.folder}"
        pace = store.computed / max(store.seconds, 1e-9)
        say(f"Pictures' features: {store.computed} computed, {pace:.1f}/s; they take {store.nbytes / 1e6:.1f} MB {where}.")
    if (states := source.states) is not None and states.computed:
        say(f"Rows' states: {states.computed} computed once, {states.computed / max(states.seconds, 1e-9):.1f}/s.")


def finish(trained: TrainedModel, base: Path | None, state: RunState, options: RunOptions, settings: RunSettings, say: Say) -> None:
    """Exports the best weights, beside links to the base."""
    if state.best is not None:
        trained.modules.load_state_dict(state.best)
    if base is None:
        say(f"{settings.base} has random weights: nothing is exported.")
        return
    export_model(base, options.out, trained)
    say(f"Ready: {options.out}, with the weights of step {state.best_step}. `gander run --model {options.out}` serves it.")


@contextmanager
def watching(watch: Watch) -> Iterator[Watch]:
    try:
        yield watch
    finally:
        watch.close()


@contextmanager
def interruptible(say: Say) -> Iterator[Callable[[], bool]]:
    """Ctrl-C, or a supervisor's SIGTERM, ends the run after the step: what was learned is exported. A second one ends it at once."""
    asked: list[int] = []

    def ask(number: int, frame: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        say("Stopping after this step and a last look at it; the best weights are exported. Once more to end at once.")

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
