"""Shows what takes long as bars: downloads with their sizes, and work of several parts one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)

from engine.hub.packages import Progress as Report


@contextmanager
def download_bars() -> Iterator[Report]:
    """Yields what `fetch` reports to; each package gets a bar of its own."""
    bars: dict[str, TaskID] = {}
    with Progress(TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()) as shown:

        def report(package: str, here: int, total: int) -> None:
            if package not in bars:
                bars[package] = shown.add_task(package, total=total)
            shown.update(bars[package], completed=here)

        yield report


def download_lines() -> Report:
    """For output without bars: `fetch` reports to it, and each package gets one line on standard error when it begins."""
    begun: set[str] = set()

    def report(package: str, here: int, total: int) -> None:
        if package not in begun:
            begun.add(package)
            typer.echo(f"Fetching {package}: {total / 1e6:,.0f} MB …", err=True)

    return report


@contextmanager
def share_bars(*parts: str) -> Iterator[list[Callable[[int, int], None]]]:
    """Yields for each part what to tell how much of it is done, and how much there is; its bar appears with the first word."""
    with Progress(TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()) as shown:

        def bar(part: str) -> Callable[[int, int], None]:
            task = shown.add_task(part, total=None, visible=False)
            return lambda done, total: shown.update(task, completed=done, total=total, visible=True)

        yield [bar(part) for part in parts]
