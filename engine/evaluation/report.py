"""Shows what an evaluation found: a table for people, JSON for programs, a list of failures for whoever trains."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich.table import Table

from engine.evaluation.run import Result

VERDICTS = {True: "[green]met[/green]", False: "[red]missed[/red]", None: ""}


def table(results: Iterable[Result]) -> Table:
    """A row for each suite: its share of right answers, and the bar."""
    shown = Table("measured", "right", "n", "95 % interval", "bar", "", box=None)
    for result in results:
        if result.skipped:
            shown.add_row(result.name, "–", "0", "", bar(result), f"[yellow]skipped[/yellow]: {result.skipped}")
        else:
            low, high = result.interval
            shown.add_row(
                result.name, f"{result.share:.3f}", str(result.n), f"{low:.2f} … {high:.2f}", bar(result), VERDICTS[result.is_met]
            )
    return shown


def line(result: Result) -> str:
    """One result in a line, to be shown while the others are still measured."""
    return f"{result.name}: {'skipped' if result.skipped else f'{result.share:.3f} of {result.n}'} ({bar(result)})"


def bar(result: Result) -> str:
    if result.bar is None:
        return "none"
    if result.bar.kind == "EfficientNet's own":
        return "EfficientNet's own" if result.baseline is None else f"≥ {result.baseline:.3f}, EfficientNet's own"
    return f"{'≤' if result.bar.kind == 'at most' else '≥'} {result.bar.share:.2f}"


def as_json(results: Iterable[Result], model: str, quantization: str, seconds: float) -> str:
    """Everything that the table has, failures included."""
    lines = [
        {
            "name": result.name,
            "n": result.n,
            "share": round(result.share, 4) if result.n else None,
            "interval": [round(end, 4) for end in result.interval] if result.n else None,
            "bar": bar(result),
            "met": result.is_met,
            "skipped": result.skipped,
            "failures": [asdict(failure) for failure in result.failures],
        }
        for result in results
    ]
    return json.dumps(
        {"model": model, "quantization": quantization, "seconds": round(seconds), "results": lines}, ensure_ascii=False, indent=2
    )


def failures(results: Sequence[Result]) -> str:
    """A line for each failure: suite, picture, question, the answer that was wanted, the answer that was given."""
    rows = [(result.name, failure) for result in results for failure in result.failures]
    fields = ((name, found.about, found.question, f"wanted: {found.wanted}", f"got: {found.answer!r}") for name, found in rows)
    return "".join("\t".join(row) + "\n" for row in fields)
