"""Draws tokens a second against concurrency, for a README: every contender's line, and the roofline above."""

from __future__ import annotations

from pathlib import Path

from engine.bench.report import Finding, Report
from engine.errors import StartError


def check_matplotlib() -> None:
    """Before minutes are spent. Raises StartError."""
    try:
        import matplotlib as mpl
    except ImportError:
        raise StartError("--png needs matplotlib: `pip install '.[bench]'`, or leave --png out.") from None
    mpl.use("Agg")


def draw_chart(report: Report, path: Path) -> None:
    """Writes a PNG. Call `check_matplotlib` before."""
    from matplotlib import pyplot

    figure, axis = pyplot.subplots(figsize=(8, 5), constrained_layout=True)
    lines: dict[str, list[Finding]] = {}
    for found in sorted(report.rates(), key=lambda found: found.people):
        lines.setdefault(found.contender, []).append(found)
    for name, line in lines.items():
        axis.plot([found.people for found in line], [found.median for found in line], marker="o", label=name)
    whose, limits = max(lines.items(), key=lambda line: len(line[1]))  # the first of those with the most points
    axis.plot(
        [found.people for found in limits], [found.limit or 0 for found in limits], "k--", label=f"roofline of {whose}: memory bandwidth"
    )
    streams = sorted({found.people for line in lines.values() for found in line})
    axis.set(xscale="log", yscale="log", xlabel="streams at once", ylabel="tokens/s, all streams together")
    axis.set_xticks(streams, [str(count) for count in streams], minor=False)
    axis.minorticks_off()
    axis.set_title(f"{report.model} on {report.machine.device}", fontsize=11)
    axis.grid(alpha=0.3)
    axis.legend()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
