"""Looks before it trains: counts rows, shows what would be learned token by token, and measures what a run will take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from statistics import median

import numpy as np
import torch

from engine.training.alignment.batches import Order
from engine.training.alignment.dataset import LISTED, Dataset, Example, listed
from engine.training.alignment.features import FeatureStore
from engine.training.alignment.objective import summed_loss
from engine.training.alignment.parts import TrainedModel
from engine.training.alignment.recipe import RunSettings
from engine.training.alignment.rows import RowSource
from engine.training.alignment.run import Say
from engine.training.alignment.speed import peak_memory
from engine.training.alignment.states import keeps_states, told_states
from engine.training.alignment.templates import SOFT, RowWriter, TrainingRow
from engine.training.alignment.watch import duration

DRAWN = 10
LISTED_BAD = 200  # rows
MEASURED = 3  # steps


def check_run(trained: TrainedModel, data: Dataset, settings: RunSettings, say: Say) -> None:
    """Tells all of it; trains nothing and writes nothing."""
    repeated = data.repeated
    say(f"{len(data) + len(data.bad)} rows: {len(data)} can be used, {len(data.bad)} can't, {len(repeated)} repeat an earlier one.")
    if repeated:
        say(f"  repetitions: {first_of(repeated)}")
    if data.bad:
        say(listed(data.bad, most=LISTED_BAD))
    if not data.examples:
        return
    store = FeatureStore(trained.connector, {})
    writer, states = RowWriter(trained.model, settings.stage, settings.longest), keeps_states(trained, None)
    source = RowSource(writer, store, trained.model.device, "skip", states=states)
    rng = np.random.default_rng(settings.seed)
    drawn = [data.examples[int(at)] for at in rng.permutation(len(data))[:DRAWN]]
    for example in drawn:
        if (row := source.row(example)) is not None:
            say(f"\n{example.where}\n{spelled(row, trained)}")
    measured = [example for example in drawn if example in source.written]
    if source.skipped:
        say(listed(list(source.skipped.values())))
    say(f"\n{lengths(trained, data.examples, source, settings)}")
    if measured:
        say(cost(trained, data, source, settings, measured))
        if states is not None:
            say(told_states(states, [len(source.written[example]) for example in measured], len(data)))


def spelled(row: TrainingRow, trained: TrainedModel) -> str:
    """Every token's id with its text, those that count for the loss in brackets; a picture as the number of its soft tokens."""
    lines: list[str] = []
    at = 0
    for segment in row.segments:
        learned = row.learned[at]
        ids = row.ids[at : at + len(segment)]
        at += len(segment)
        if ids and ids[0] == SOFT:
            lines.append(f"  picture: {len(ids)} soft tokens")
        elif ids:
            shown = " ".join(f"{token}:{trained.model.tokenizer.spell(token)[0]!r}" for token in ids)
            lines.append(f"  learned [{shown}]" if learned else f"  read {shown}")
    return "\n".join([*lines, f"  {len(row)} tokens, {sum(row.learned)} of them learned" + (f", {row.cut} cut off" if row.cut else "")])


def first_of(examples: Sequence[Example]) -> str:
    """How many, and where the first are."""
    return f"{len(examples)} ({'; '.join(example.where for example in examples[:LISTED])}{'; …' if len(examples) > LISTED else ''})"


def lengths(trained: TrainedModel, examples: Sequence[Example], source: RowSource, settings: RunSettings) -> str:
    """The answers' lengths in tokens, which are longer than a row may teach, and which rows the model's context does not hold."""
    encode, context = trained.model.tokenizer.encode, trained.model.card.context_length
    answers = [sum(len(encode(answer)) for _, answer in example.turns) for example in examples]
    words = [found + sum(len(encode(asked)) for asked, _ in example.turns) for found, example in zip(answers, examples, strict=True)]
    by_example = dict(zip(examples, words, strict=True))
    rest = max((len(row) - by_example[example] for example, row in source.written.items()), default=0)  # pictures and template
    long = [example for example, found in zip(examples, answers, strict=True) if found >= settings.longest]
    over = [example for example, found in zip(examples, words, strict=True) if found + rest > context]
    told = [f"Answers have {min(answers)} to {max(answers)} tokens, {median(answers):.0f} in the middle."]
    if long:
        told.append(f"Longer than --longest {settings.longest}, and would be cut: {first_of(long)}.")
    if over:
        told.append(f"With their pictures hardly within the model's {context} tokens, and would be left out or refused: {first_of(over)}.")
    return " ".join(told)


def cost(trained: TrainedModel, data: Dataset, source: RowSource, settings: RunSettings, examples: Sequence[Example]) -> str:
    """Measured on a few steps of the ten rows, whose pictures were looked at just now."""
    store = source.store
    pictures = len({picture for example in data.examples for picture in example.pictures})
    looking = store.seconds / max(store.computed, 1) * pictures
    lower = once_for_rows(source, examples, len(data))
    order = Order(len(examples), settings.batch, settings.seed)
    times: list[float] = []
    for step in range(MEASURED):
        began = time.perf_counter()
        batch = source.batch([examples[row] for row in order.step(step)])
        if batch is not None:
            with torch.autocast(trained.model.device.type, torch.bfloat16, enabled=settings.precision != "fp32"):
                loss = summed_loss(trained, batch)
            loss.backward()
            float(loss.detach())  # waits for the device
        times.append(time.perf_counter() - began)
    trained.modules.zero_grad(set_to_none=True)
    optimizer = 8 * sum(
        parameter.numel() for parameter in trained.modules.parameters() if parameter.requires_grad
    )  # bytes of Adam's two moments
    kept = store.nbytes / max(store.computed, 1) * pictures
    below = f"{lower:.0f} s for the layers before the adapter once, " if lower else ""
    return (
        f"{settings.steps} steps of {settings.batch} rows ({settings.steps * settings.batch / len(data):.1f} epochs) will take about "
        f"{duration(looking + lower + min(times) * settings.steps)}: {looking:.0f} s for looking at {pictures} pictures once, "
        f"{below}{min(times):.2f} s a step. Memory: about {(peak_memory(trained) + optimizer) / 1e9:.1f} GB"
        f"{' on the GPU' if trained.model.device.type == 'cuda' else ''}, and {kept / 1e6:.0f} MB for the pictures' features."
    )


def once_for_rows(source: RowSource, examples: Sequence[Example], rows: int) -> float:
    """Seconds that the layers before an adapter take for all rows, measured on these; 0 where nothing of theirs is kept."""
    if source.states is None:
        return 0.0
    source.batch(examples)
    return source.states.seconds / max(source.states.computed, 1) * rows
