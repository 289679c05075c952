"""Shows downloads as bars with sizes, for every command that fetches packages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

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
