"""How much attention each token of an eye receives: which of a picture's patches the others look at, for eyes without a Q-Former."""

from __future__ import annotations

import torch
from torch import Tensor

SCORES_AT_ONCE = 1 << 24  # that exist together, in fp32


def received_attention(query: Tensor, key: Tensor, scale: float, mask: Tensor | None = None) -> Tensor:
    """query, key [pictures, heads, tokens, head_dim] → [pictures, tokens]: what each token receives from all, the mean over heads.

    The significance of PoWER-BERT (Goyal et al. 2020, arXiv 2001.08950) over the number of heads: a row sums to the number
    of tokens. `mask` [pictures, 1, tokens, tokens] or None: True, or 0 where scores are added to, lets a query look at a key.
    """
    pictures, heads, tokens, _ = query.shape
    keys = key.float().transpose(2, 3)
    total = torch.zeros(pictures, tokens, device=query.device)
    for rows in torch.arange(tokens, device=query.device).split(max(1, SCORES_AT_ONCE // (pictures * heads * tokens))):
        scores = query[:, :, rows].float() @ keys * scale
        if mask is not None:
            some = mask[:, :, rows, :tokens]
            scores = scores.masked_fill(~some, -torch.inf) if some.dtype == torch.bool else scores + some
        total += scores.softmax(-1).mean(1).sum(1)
    return total
