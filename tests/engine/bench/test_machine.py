"""Which machine was measured, and whether it was busy."""

from __future__ import annotations

import pytest
import torch

from engine.bench.machine import this_machine


@pytest.mark.parametrize(("load", "busy"), [(None, False), (0.1, False), (3.0, True)])
def test_a_machine_with_other_work_is_busy(load: float | None, busy: bool) -> None:
    assert this_machine(torch.device("cpu")).model_copy(update={"load": load}).is_busy is busy
