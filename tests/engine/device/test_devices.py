"""What a card can do decides the path, and a capability given by hand forces it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import typer

from engine.commands.serve import parse_capability
from engine.device import devices
from engine.device.devices import Abilities, abilities, main_memory

CUDA = torch.device("cuda:0")


@pytest.mark.parametrize(("capability", "triton"), [((7, 0), False), ((7, 5), False), ((8, 0), True), ((8, 9), True), ((12, 0), True)])
def test_triton_from_ampere_on_and_bf16_there_where_makers_say_so(capability: tuple[int, int], triton: bool) -> None:
    able = abilities(CUDA, capability)
    assert able == Abilities(torch.float16, triton, capability)
    assert able.dtype_for("bfloat16") == (torch.bfloat16 if triton else torch.float16)
    assert able.dtype_for("float16") == able.dtype_for(None) == torch.float16


def test_a_cpu_computes_in_bf16_without_kernels_of_ours() -> None:
    assert abilities(torch.device("cpu")) == Abilities(torch.bfloat16, triton=False)


@pytest.mark.parametrize("text", ["", "seven", "7,5"])
def test_what_is_no_capability(text: str) -> None:
    with pytest.raises(typer.BadParameter, match="no compute capability"):
        parse_capability(text)


def test_a_capability_has_two_numbers() -> None:
    assert [parse_capability(text) for text in ("7.5", "8", None)] == [(7, 5), (8, 0), None]


def test_main_memory_is_what_the_system_has_or_a_container_is_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "meminfo").write_text("MemTotal: 8000 kB\nMemAvailable:    5000 kB\n")
    monkeypatch.setattr(devices, "MEMORY", tmp_path / "meminfo")
    monkeypatch.setattr(devices, "CONTAINER", tmp_path)
    assert main_memory() == 5_120_000
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert main_memory() == 5_120_000
    (tmp_path / "memory.max").write_text("3000\n")
    assert main_memory() == 2000
