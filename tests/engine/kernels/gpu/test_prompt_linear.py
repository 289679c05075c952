"""Prompts through quantised linear layers, by codes and by restored weights."""

from __future__ import annotations

import pytest
import torch

pytest.importorskip("triton", reason="Triton has no build for this system; `make test` installs it on Linux.")

from engine.kernels.gpu.prompt_linear import read_codes
from engine.kernels.gpu.triton_device import TritonDevice
from engine.layers.modes import Quantization
from engine.layers.quantized import QuantizedLinear
from tests.engine.kernels.gpu.language import CONFIG, MODES, ROUNDING, half_language
from tests.engine.kernels.gpu.oracle import error


@pytest.mark.parametrize("mode", MODES[1:])
def test_a_prompt_is_read_from_the_codes_as_from_restored_weights(
    device: TritonDevice, mode: Quantization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.kernels.gpu.prompt_linear.TURN", 4)
    language, hidden, positions = half_language(mode), torch.randn(2, 5, CONFIG.hidden_size).half(), torch.arange(5)[None]
    restored = language.logits(language(hidden, positions))
    monkeypatch.setattr(QuantizedLinear, "blocks", None)  # nothing is restored any more
    read_codes(language)
    assert error(language.logits(language(hidden, positions)), restored) < 2 * ROUNDING
