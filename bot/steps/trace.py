"""How an answer in steps came about, as it is stored and shown: its program, what each line gave, and what was looked at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.steps.interpreter import Step
from bot.steps.language import Program

LONGEST: Final = 1_200  # characters that are shown of one trace


def trace_of(program: Program, steps: Sequence[Step], *, by_model: bool) -> dict[str, Any]:
    """For MessageRow.trace. `by_model`: the model wrote the program; else it was a ready-made one."""
    return {"program": str(program), "steps": [[step.line, step.result] for step in steps], "by_model": by_model}


def sheet_of(trace: Mapping[str, Any] | None) -> tuple[str, str]:
    """The sha256 of the picture of what was looked at, and the same in words; empty without one."""
    return (trace.get("sheet", ""), trace.get("seen", "")) if trace else ("", "")


def trace_lines(trace: Mapping[str, Any] | None) -> str:
    """The program with the result behind each line that ran; empty without one."""
    if not trace:
        return ""
    results = dict(trace["steps"])
    lines = [f"{line}  → {results[line]}" if line in results else line for line in trace["program"].splitlines()]
    text = "\n".join(lines)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
