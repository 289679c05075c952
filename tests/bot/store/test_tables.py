"""Every column, job state and way to end says what always holds for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from bot.store import tables

SOURCE = Path(tables.__file__).read_text("utf-8")


def classes() -> Iterator[ast.ClassDef]:
    yield from (node for node in ast.parse(SOURCE).body if isinstance(node, ast.ClassDef))


def fields() -> Iterator[tuple[str, int]]:
    """The columns and members of all classes, with the line that they stand on."""
    for node in classes():
        for field in node.body:
            if isinstance(field, ast.AnnAssign):
                yield f"{node.name}.{ast.unparse(field.target)}", field.lineno
            elif isinstance(field, ast.Assign) and node.name in {"Finish", "JobState"}:
                yield f"{node.name}.{ast.unparse(field.targets[0])}", field.lineno


def test_every_column_and_state_has_a_comment() -> None:
    lines = SOURCE.splitlines()
    found = dict(fields())
    assert {"JobRow.state", "JobState.ANSWERED", "Finish.FAILED", "HiddenRow.question"} <= found.keys()
    assert not [name for name, line in found.items() if "  # " not in lines[line - 1] and not lines[line - 2].strip().startswith("# ")]


def test_every_table_says_what_a_row_is() -> None:
    assert not [node.name for node in classes() if node.name != "Row" and not ast.get_docstring(node)]
