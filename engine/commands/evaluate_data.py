"""`gander evaluate NAME DATA`: a model's answers held against what somebody's data says, side by side with its base."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from engine.errors import DataError
from engine.evaluation.on_data import Candidate, DataResult, Question, ask_all, questions_of
from engine.evaluation.samples_page import write_page
from engine.paths import model_folder
from engine.training.alignment.dataset import check_pictures, listed
from engine.training.alignment.formats.reading import read_rows
from engine.weights.loader import Quantize


def evaluate_data(
    name: str,
    data: Sequence[Path],
    *,
    adapter: tuple[str, Path] | None,
    base: str | None,
    quantize: Quantize,
    limit: int | None,
    max_tokens: int,
    page: Path | None,
    as_json: bool,
) -> None:
    """Raises DataError for data without a usable row. Bad rows are told on standard error and left out."""
    read = check_pictures(read_rows(data))
    if read.bad:
        typer.secho(f"{len(read.bad)} rows are left out:\n{listed(read.bad)}", fg="yellow", err=True)
    questions = questions_of(read.examples)[:limit]
    if not questions:
        raise DataError(f"{', '.join(map(str, data))}: no row can be used.")
    results = {}
    for title, candidate in candidates(name, adapter, base).items():
        begun = time.monotonic()
        results[title] = ask_all(candidate, questions, quantize, max_tokens)
        typer.echo(f"{title}: {len(questions)} questions in {time.monotonic() - begun:.0f} s", err=True)
    if page is not None:
        write_page(page, questions, results)
        typer.echo(f"Samples side by side: {page}", err=True)
    if as_json:
        typer.echo(written(questions, results))
    else:
        Console().print(table(results))


def candidates(name: str, adapter: tuple[str, Path] | None, base: str | None) -> dict[str, Candidate]:
    """The model first, then its base: the one that is named, or for an adapter the model without it."""
    folder = model_folder(name)
    adapters = () if adapter is None else (adapter,)
    found = {name if adapter is None else f"{name}:{adapter[0]}": Candidate(folder, adapters, adapter[0] if adapter else "")}
    if base is not None:
        found[base] = Candidate(model_folder(base))
    elif adapter is not None:
        found[name] = Candidate(folder)
    return found


def table(results: dict[str, DataResult]) -> Table:
    measures = next(iter(results.values())).means
    shown = Table("", *measures, "without an answer", box=None)
    for title, result in results.items():
        shown.add_row(title, *(f"{mean:.3f}" for mean in result.means.values()), str(result.failed))
    return shown


def written(questions: Sequence[Question], results: dict[str, DataResult]) -> str:
    rows = [
        {
            "where": question.where,
            "question": question.question,
            "references": question.references,
            "answers": {
                title: {"text": result.answers[at].text, "failed": result.answers[at].failed, **vars(result.scores[at])}
                for title, result in results.items()
            },
        }
        for at, question in enumerate(questions)
    ]
    means = {title: {measure: round(mean, 4) for measure, mean in result.means.items()} for title, result in results.items()}
    return json.dumps({"questions": len(questions), "means": means, "rows": rows}, ensure_ascii=False, indent=1)
