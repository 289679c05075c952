"""Shows a bench's report to people: a table, and remarks beside it."""

from __future__ import annotations

from rich.table import Table

from engine.bench.report import Finding, Report

NOTHING = "–"


def table(report: Report) -> Table:
    """A row for each figure, a column for each contender; medians, and in brackets the share of the roofline."""
    shown = Table(f"{report.model}", *report.contenders, box=None)
    shown.columns[0].no_wrap = True
    for column in shown.columns[1:]:
        column.justify = "right"
    for row in report.rows:
        shown.add_row(titled(report, row), *(cell(report.found(row, contender)) for contender in report.contenders))
    if report.memory:
        shown.add_row(
            "memory, MB", *(f"{report.memory[name] / 1e6:,.0f}" if name in report.memory else NOTHING for name in report.contenders)
        )
    return shown


def titled(report: Report, row: str) -> str:
    unit = next(found.unit for found in report.findings if found.row == row)
    return f"{row}, {unit}"


def cell(found: Finding | None) -> str:
    if found is None or not found.values:
        return NOTHING
    value = f"{found.median:,.0f}" if found.median >= 100 else f"{found.median:.1f}"
    return f"{value} ({found.median / found.limit:.0%})" if found.limit else value


def heading(report: Report) -> str:
    """Model, machine, and how it was measured."""
    machine = report.machine
    return (
        f"{report.model} on {machine.device}; {machine.processor}, {machine.threads} threads on {machine.cores} cores, "
        f"{machine.system}, torch {machine.torch}, transformers {machine.transformers}\n"
        f"medians of {report.rounds} rounds after a warm-up; prompts of {report.prompt_tokens} tokens and more, "
        f"{report.tokens} greedy tokens an answer\n"
        f"in brackets: of what reading the weights once a step would give at {report.bandwidth / 1e9:,.0f} GB/s, the speed of a "
        "copy on the device (bytes read and written)"
    )


def remarks(report: Report) -> list[str]:
    """The lines below the table."""
    same, answers = report.same_answers
    said = [f"In {same} of {answers} rounds our unquantised engine wrote exactly what {report.reference} wrote."] if answers else []
    for row in dict.fromkeys(found.row for found in report.findings if found.unit == "tokens/s"):
        times = [(found.contender, report.times_reference(found)) for found in report.findings if found.row == row]
        ratios = ", ".join(f"{name} {ratio:.2f} ×" for name, ratio in times if ratio is not None)
        said += [f"{row}, times {report.reference}: {ratios}."] if ratios else []
    return said + reasons(report)


def reasons(report: Report) -> list[str]:
    """Why a figure is missing, and reasons to doubt the others, such as a busy machine."""
    rows: dict[tuple[str, str], list[str]] = {}
    for found in report.findings:
        if found.reason:
            rows.setdefault((found.contender, found.reason), []).append(found.row)
    said = [f"{contender}, {'; '.join(names)}: {reason}." for (contender, reason), names in rows.items()]
    if report.machine.is_busy:
        said.append(
            f"The machine was busy (load {report.machine.load:.1f}): the figures are too low; ratios suffer less where all took turns."
        )
    return said
