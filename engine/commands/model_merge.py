"""`gander model merge`: a LoRA adapter added to its base, as a model of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def merge(
    base: Annotated[str, typer.Argument(help="A ready model's name (`gander model list`) or folder, in 16 bit.")],
    adapter: Annotated[Path, typer.Argument(help="The adapter's folder, in peft's form.", exists=True, file_okay=False)],
    out: Annotated[Path, typer.Argument(help="The folder to make, or a name among the models.")],
) -> None:
    """Add a LoRA adapter to its base model for good. Needs less than 2 GB of memory for any model; `--adapter` serves it unmerged."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    from engine.paths import model_folder, models
    from engine.weights.adapter_merging import merge_adapter

    target = out if len(out.parts) > 1 else models() / out
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn()) as shown:
        task = shown.add_task("Merging", total=None)
        merge_adapter(model_folder(base), adapter, target, lambda done, total: shown.update(task, completed=done, total=total))
    typer.echo(f"{target} is ready: gander run --model {out}")
