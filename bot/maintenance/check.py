"""Looks a database and its pictures over without changing anything: damage, an old or a newer schema, and what nothing refers to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Final

from sqlalchemy import ColumnElement, Connection, and_, func, inspect, select, text, true
from sqlalchemy.exc import DatabaseError

from bot.store import migrate
from bot.store.pictures import PictureFiles
from bot.store.tables import BotRow, EngineRow, JobRow, MessagePictureRow, MessageRow, PictureRow, Row

NAMED: Final = 3  # files that a finding names


class Severity(StrEnum):
    """How bad a finding is."""

    FINE = "fine"
    LEFT_OVER = "left over"  # a sweep of the running bot deletes it, or the next start mends it
    DAMAGE = "damage"  # somebody has to act


@dataclass(frozen=True, slots=True)
class CheckFinding:
    """One line of what was found. `remedy`: what to do about it; empty where nothing has to be done."""

    what: str
    found: str
    severity: Severity = Severity.FINE
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class StoredFacts:
    """What the database said: `sha256s` of the pictures that it names; None: it can't be asked for them."""

    findings: tuple[CheckFinding, ...]
    sha256s: frozenset[str] | None = None


RESTORE: Final = "Restore a backup: gander db restore FOLDER."


def check_database(connection: Connection) -> StoredFacts:
    """What can be found out by reading the database."""
    damage = tuple(_integrity(connection))
    if any(each.severity is Severity.DAMAGE for each in damage):
        return StoredFacts(damage)
    schema = check_schema(connection)
    if schema.severity is not Severity.FINE:
        return StoredFacts((*damage, schema))
    owned = frozenset(connection.scalars(select(PictureRow.sha256)))
    return StoredFacts((*damage, schema, *_rows(connection)), owned)


def check_schema(connection: Connection) -> CheckFinding:
    at, known = migrate.current(connection), migrate.revisions()
    if at == known[-1]:
        return CheckFinding("schema", f"{at}, the newest")
    if at is None:
        return CheckFinding("schema", "no tables yet", Severity.LEFT_OVER, "gander run makes them.")
    if at in known:
        remedy = "gander db migrate brings it up to date, and so does the next start of gander run."
        return CheckFinding("schema", f"{at}; the newest is {known[-1]}", Severity.LEFT_OVER, remedy)
    return CheckFinding("schema", f"{at}, of a newer Gander", Severity.DAMAGE, "Start that one, or restore a backup that this one made.")


def check_pictures(files: PictureFiles, owned: frozenset[str]) -> Iterator[CheckFinding]:
    """Whether each picture has its file, and each file its row."""
    there = set(files.names())
    missing, orphans = sorted(owned - there), sorted(there - owned)
    if missing:
        remedy = "Copy them from a backup's pictures/; questions about them are answered without, or not at all."
        yield CheckFinding("pictures", f"{len(missing)} of {len(owned)} have no file: {_some(missing)}", Severity.DAMAGE, remedy)
    else:
        yield CheckFinding("pictures", f"{len(owned)}, each with its file")
    if orphans:
        remedy = "The running bot deletes them once they are a day old."
        yield CheckFinding("files", f"{len(orphans)} belong to no picture: {_some(orphans)}", Severity.LEFT_OVER, remedy)


def is_empty(connection: Connection) -> bool:
    """Whether nobody has used this database yet; a bot may have been started on it."""
    there = set(inspect(connection).get_table_names()) - {BotRow.__tablename__, EngineRow.__tablename__}
    return not any(
        connection.scalar(select(func.count()).select_from(table)) for table in Row.metadata.sorted_tables if table.name in there
    )


def _integrity(connection: Connection) -> Iterator[CheckFinding]:
    """SQLite checks every page; PostgreSQL checks a page when it is read, so that every table is."""
    try:
        if connection.dialect.name == "sqlite":
            found = [str(each) for each in connection.scalars(text("PRAGMA integrity_check(5)"))]
            broken = connection.execute(text("PRAGMA foreign_key_check")).all()
            found += [f"a row of {row[0]} refers to a row of {row[2]} that is not there" for row in islice(broken, NAMED)]
        else:
            for table in Row.metadata.sorted_tables:
                if inspect(connection).has_table(table.name):
                    connection.execute(select(func.count()).select_from(table))
            found = []
    except DatabaseError as error:
        found = [str(error.orig)]
    if faults := [each for each in found if each != "ok"]:
        yield CheckFinding("database", "; ".join(faults), Severity.DAMAGE, RESTORE)
    else:
        yield CheckFinding("database", "sound")


def _rows(connection: Connection) -> Iterator[CheckFinding]:
    """Rows that nothing refers to any more."""
    shown = select(MessagePictureRow.sha256).where(MessagePictureRow.sha256 == PictureRow.sha256).exists()
    made = select(JobRow.id).where(JobRow.answer == MessageRow.id).exists()
    unmade = and_(MessageRow.role == "assistant", MessageRow.finish.is_(None), ~made)
    if hidden := _count(connection, PictureRow, ~shown):
        remedy = "The running bot deletes them within an hour."
        yield CheckFinding("rows", f"{hidden} pictures that no message shows", Severity.LEFT_OVER, remedy)
    if lost := _count(connection, MessageRow, unmade):
        remedy = "Whoever asked can ask again: nothing makes them any more."
        yield CheckFinding("rows", f"{lost} answers without a text that no job makes", Severity.DAMAGE, remedy)
    if not (hidden or lost):
        yield CheckFinding("rows", f"{_count(connection, MessageRow, true())} messages, and nothing left over")


def _count(connection: Connection, row: type[Row], which: ColumnElement[bool]) -> int:
    return connection.scalar(select(func.count()).select_from(row).where(which)) or 0


def _some(names: Sequence[str]) -> str:
    return ", ".join(name[:12] for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
