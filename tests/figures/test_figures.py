"""The figures are those of what is here now, and the document shows each of them."""

from __future__ import annotations

import pytest

from tests.figures.inputs import FOLDER, RECORD, ROOT, fingerprint


def test_the_figures_are_not_stale() -> None:
    assert RECORD.read_text("utf-8").strip() == fingerprint(), "make figures"


@pytest.mark.parametrize("name", ["how-it-works.md", "how-it-works.zh-CN.md"])
def test_every_figure_is_shown(name: str) -> None:
    text = (ROOT / "docs" / name).read_text("utf-8")
    assert [file.name for file in FOLDER.iterdir() if file.suffix in {".png", ".svg"} and f"how/{file.name}" not in text] == []
