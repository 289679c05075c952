"""The demo's pictures are there, with credits."""

from __future__ import annotations

from adapters.cli.demo_samples import SAMPLES, sketch


def test_the_samples_are_pictures_with_credits() -> None:
    for sample in SAMPLES:
        assert sketch(sample.file).plain.count("\n") > 5
        assert sample.file.name in (sample.file.parent / "CREDITS.md").read_text(encoding="utf-8")
