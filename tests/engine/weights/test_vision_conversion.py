"""The vision encoder's files: of other sizes, given twice, or mixed up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import WeightsError
from engine.weights.importing import Sources
from tests.engine.weights.release_files import (
    expect_refusal,
    golden_sources,
    imported,
)


def test_eye_of_other_sizes_without_architecture(sources: Sources, out: Path) -> None:
    expect_refusal(replace(sources, architecture=None), out, "blip2_pretrained_flant5xxl.pth", "query_tokens", "--architecture")


def test_both_the_eye_s_file_and_the_folder_that_holds_it(sources: Sources, out: Path) -> None:
    expect_refusal(replace(sources, blip2=sources.llama), out, "leave --vit out")


def test_options_that_were_mixed_up(sources: Sources, out: Path) -> None:
    assert sources.vit
    expect_refusal(replace(sources, vit=sources.blip2, blip2=sources.vit), out, "eva_vit_g.pth", "--blip2")


def test_missing_half_of_the_eye_names_the_option() -> None:
    sources: Sources = replace(golden_sources("v0"), vit=None)
    with pytest.raises(WeightsError, match="--vit"):
        imported(sources, Path("unused"))
