"""`gander db check|backup|restore|migrate`: finds the database that the configuration names, and tells a person what was done."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Concatenate, Final, ParamSpec, TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from adapters.process_names import LOCK, lock
from adapters.services import picture_folder
from adapters.terminal.console import complaints, consoles, quiet_logs
from bot.config.load import data_home, find_config, load_config
from bot.errors import ConfigError
from bot.maintenance import backup, check, restore
from bot.maintenance.backup import Backup
from bot.maintenance.check import CheckFinding, Severity
from bot.store import database, graph, migrate
from bot.store.database import is_sqlite, sqlite_url
from bot.store.pictures import PictureFiles
from bot.store.retrying import reason

SIGNS: Final = {Severity.FINE: ("✓", "green"), Severity.LEFT_OVER: ("!", "yellow"), Severity.DAMAGE: ("✗", "red")}
BACKUPS: Final = "backups"  # in the data folder

P = ParamSpec("P")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Kept:
    """Where a Gander keeps its data."""

    home: Path
    url: str
    files: PictureFiles

    @property
    def shown(self) -> str:
        """The database as a person is told of it: without a password."""
        return self.url.removeprefix("sqlite:///") if is_sqlite(self.url) else make_url(self.url).render_as_string(hide_password=True)

    def read(self, work: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run `work` on the database as it is. Raises ConfigError where there is none."""
        return asyncio.run(self._run(lambda connection: work(connection, *args, **kwargs), writes=False))

    def write(self, work: Callable[[Connection], T]) -> T:
        return asyncio.run(self._run(work, writes=True))

    def exists(self) -> bool:
        return not is_sqlite(self.url) or Path(make_url(self.url).database or "").is_file()

    async def _run(self, work: Callable[[Connection], T], *, writes: bool) -> T:
        if not self.exists():
            raise ConfigError(f"There is no database at {self.shown} yet: gander run makes it.")
        opened = database.connect(self.url)
        try:
            return await opened.write(work) if writes else await opened.read(work)
        except (DBAPIError, OSError) as error:
            raise ConfigError(f"{self.shown} can't be used: {reason(error)}.") from error
        finally:
            await opened.close()


def find(file: Path | None) -> Kept:
    """`file`: the configuration. Raises ConfigError."""
    quiet_logs()
    config, home = load_config(find_config(file, os.environ), os.environ), data_home(os.environ)
    return Kept(home, config.store.url or sqlite_url(home / "gander.db"), PictureFiles(picture_folder(config, home)))


def check_all(file: Path | None) -> bool:
    """Print what was found. False: something is damaged."""
    kept, (out, _) = find(file), consoles()
    facts = kept.read(check.check_database)
    findings = [*facts.findings, *(() if facts.sha256s is None else check.check_pictures(kept.files, facts.sha256s))]
    table = Table(box=None, show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")
    for finding in (CheckFinding("database", kept.shown), *findings):
        sign, style = SIGNS[finding.severity]
        table.add_row(Text(sign, style=style), finding.what, Text(f"{finding.found}{'. ' if finding.remedy else ''}{finding.remedy}"))
    out.print(table)
    return all(finding.severity is not Severity.DAMAGE for finding in findings)


def back_up_all(file: Path | None, folder: Path | None) -> None:
    kept, (out, _) = find(file), consoles()
    made = save(kept, folder or named_by_time(kept.home))
    gone = f", {made.note.gone} had no file any more" if made.note.gone else ""
    out.print(Text(f"{made.folder}: the database at {made.note.revision}, {made.note.pictures} pictures{gone}. It is yours to protect."))


def restore_all(file: Path | None, folder: Path, *, replace: bool) -> None:
    kept, (out, _) = find(file), consoles()
    note = restore.check_backup(folder, kept.url, migrate.revisions())
    with nobody_serves(kept.home):
        if not is_sqlite(kept.url):
            kept.read(restore.check_unused)
        if kept.exists() and not kept.read(check.is_empty):
            if not replace:
                raise ConfigError(f"{kept.shown} holds messages already: nothing was changed. --replace backs it up and replaces it.")
            before = save(kept, named_by_time(kept.home, "before-restore-"))
            out.print(Text(f"What was there is in {before.folder}."))
        if not is_sqlite(kept.url):
            kept.write(restore.drop_tables)
        with progress() as tell:
            brought = restore.restore(folder, kept.url, kept.files, tell)
    out.print(Text(f"{kept.shown}: back as it was on {note.made}, with {brought} pictures. Start Gander."))


def migrate_all(file: Path | None) -> None:
    kept, (out, _) = find(file), consoles()
    at, newest = kept.read(migrate.current), migrate.revisions()[-1]
    if at == newest:
        out.print(Text(f"{kept.shown}: {at}, the newest. Nothing to do."))
        return
    out.print(Text(f"{kept.shown}: {at or 'no tables'} → {newest}"))
    if at not in {None, *migrate.revisions()}:
        raise ConfigError("The database belongs to a newer Gander: start that one, or restore a backup that this one made.")
    if is_sqlite(kept.url):
        with nobody_serves(kept.home):
            if at is not None:
                out.print(Text(f"A backup is in {save(kept, named_by_time(kept.home, f'before-{newest}-')).folder}."))
            kept.write(migrate.upgrade)
    else:
        kept.write(migrate.upgrade)  # all of it in one transaction
    out.print(Text("Done."))


def save(kept: Kept, folder: Path) -> Backup:
    """Make a backup. Raises ConfigError, OSError."""
    revision = kept.read(migrate.current)
    if revision is None:
        raise ConfigError(f"{kept.shown} has no tables yet: nothing to back up.")

    def named(copy: Path) -> Sequence[str]:
        return pictures_in(copy) if is_sqlite(kept.url) else sorted(kept.read(graph.all_pictures))

    with progress() as tell:
        return backup.back_up(kept.url, kept.files, folder, revision, named, tell)


def pictures_in(copy: Path) -> list[str]:
    with closing(sqlite3.connect(copy)) as connection:
        return [sha256 for (sha256,) in connection.execute("SELECT sha256 FROM picture ORDER BY sha256")]


def named_by_time(home: Path, why: str = "") -> Path:
    """A folder that is not there yet."""
    name = f"{why}{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
    return next(folder for number in count(1) if not (folder := home / BACKUPS / (f"{name}-{number}" if number > 1 else name)).exists())


@contextmanager
def nobody_serves(home: Path) -> Iterator[None]:
    """No bot starts from this folder inside the block. Raises ConfigError while one runs."""
    with lock(home / LOCK) as free:
        if not free:
            raise ConfigError(f"Gander runs from {home}: stop it first. Nothing was changed.")
        yield


@contextmanager
def progress() -> Iterator[backup.Progress]:
    """Bars on a terminal, nothing elsewhere."""
    console = complaints()
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        tasks = {name: shown.add_task(name, total=None, visible=False) for name in ("database", "pictures")}
        yield lambda what, done, total: shown.update(tasks[what], completed=done, total=total, visible=True)
