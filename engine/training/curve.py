"""Draws the loss of both stages over their steps, for the bridge's card."""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib as mpl
import numpy as np

SMOOTHING = 15  # steps that one point of the line averages


def draw_curve(folder: Path, path: Path) -> None:
    """`folder` holds the stages' logs, `look.json` and `speak.json`: a list of losses each. Writes a PNG."""
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(9, 3), constrained_layout=True)
    for axis, (stage, title) in zip(axes, (("look", "1. look: all losses"), ("speak", "2. speak: answers")), strict=True):
        losses = np.array(json.loads((folder / f"{stage}.json").read_text()))
        window = min(SMOOTHING, len(losses))
        axis.plot(losses, color="0.8", linewidth=0.7)
        axis.plot(np.arange(window - 1, len(losses)), np.convolve(losses, np.full(window, 1 / window), "valid"), color="tab:blue")
        axis.set(title=title, xlabel="step", yscale="log")
        axis.grid(alpha=0.3)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
