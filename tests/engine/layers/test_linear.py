"""Adapters side by side in one layer against their plain sum."""

from __future__ import annotations

import torch

from engine.layers.linear import Linear


@torch.no_grad()
def test_each_row_adds_what_its_adapters_add_and_a_bare_layer_none() -> None:
    layer, x = Linear(12, 8), torch.randn(4, 3, 12)
    own = layer.add_lora(rank=2, alpha=3.0)
    torch.nn.init.normal_(own.b)
    first = own.scale * own.b @ own.a
    a, b = torch.randn(5, 12), torch.randn(8, 5)
    layer.join_lora(a, b, owner=1)
    scales = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 0.5]])
    found = layer(x, scales[:, None])
    assert torch.equal(found[0], layer(x)[0])
    for row, (one, other) in enumerate(scales.tolist()):
        torch.testing.assert_close(found[row], x[row] @ (layer.weight + one * first + other * b @ a).T, rtol=1e-4, atol=1e-4)
