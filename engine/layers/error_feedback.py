"""Rounds a matrix to 4 bits so that the errors of its weights cancel out in what the layer gives, not each for itself.

GPTQ (Frantar et al. 2023, arXiv 2210.17323): columns are rounded one after the other, and what rounding did to one is made up for by those
still to come, as far as the layer's inputs say that they move together. The stored form is that of `engine.layers.quantization`.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.errors import WeightsError
from engine.layers.quantization import GROUP, LEAST, MOST, nonzero, pack, spanning

DAMPING = 0.01  # of the inputs' mean square, added to each: a text of some thousand tokens says little of the rarest directions
ROWS = 1 << 25  # elements rounded at a time: bounds memory, and keeps the columns' short steps few
TOGETHER = 64  # columns that are settled among themselves before the rest hears of them
FACTORS = tuple(percent / 100 for percent in range(68, 109, 4))  # of the scale that just spans a group


def round_with_feedback(weight: Tensor, moments: Tensor) -> tuple[Tensor, Tensor]:
    """[out, in] and the inputs' second moments, their mean of x xᵀ [in, in] in fp32 → codes and scales as `quantized_slots` says.

    Deterministic on one device. Raises WeightsError where the inputs aren't finite.
    """
    importance = moments.diagonal().clone()
    order = importance.argsort(descending=True, stable=True)  # the largest inputs' weights while there is most left to make up for it
    factor = feedback_factor(moments[order][:, order])
    rows = max(1, ROWS // weight.shape[1])
    parts = [round_rows(part.float(), importance, order, factor) for part in weight.split(rows)]
    return torch.cat([codes for codes, _ in parts]), torch.cat([scales for _, scales in parts])


def feedback_factor(moments: Tensor) -> Tensor:
    """The upper Cholesky factor of the moments' inverse: row j says how the columns behind j make up for an error in it."""
    damping = DAMPING
    while damping < 1:
        damped = moments.clone()
        damped.diagonal().add_(damping * moments.diagonal().mean() + torch.finfo(moments.dtype).tiny)
        lower, failed = torch.linalg.cholesky_ex(damped)
        del damped
        upper: Tensor
        upper, failed_again = torch.linalg.cholesky_ex(torch.cholesky_inverse(lower), upper=True)
        if not failed and not failed_again and upper.isfinite().all():
            return upper
        damping *= 10
    raise WeightsError("The model's activations are not finite, so that its weights can't be rounded. Fetch or convert the model again.")


def round_rows(rows: Tensor, importance: Tensor, order: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
    """Some rows of a matrix in fp32 → packed codes and fp16 scales."""
    scale = search_scale(rows.unflatten(-1, (-1, GROUP)), importance.view(-1, GROUP))
    by_column = scale.T.contiguous()  # [groups, rows]
    groups = (order // GROUP).tolist()
    rest = rows.T[order]  # [in, rows]: one column of the matrix lies together
    codes = torch.empty_like(rest)
    for first in range(0, len(rest), TOGETHER):
        after = min(first + TOGETHER, len(rest))
        errors = torch.empty_like(rest[first:after])
        for j in range(first, after):
            step = by_column[groups[j]]
            codes[j] = (rest[j] / step).round_().clamp_(LEAST, MOST)
            errors[j - first] = (rest[j] - codes[j] * step) / factor[j, j]
            rest[j + 1 : after].addcmul_(factor[j, j + 1 : after, None], errors[j - first], value=-1)
        rest[after:].addmm_(factor[first:after, after:].T, errors, alpha=-1)
    in_place = torch.empty_like(codes)
    in_place[order] = codes
    return pack(in_place.T.unflatten(-1, (-1, GROUP))), scale.half()


def search_scale(groups: Tensor, importance: Tensor) -> Tensor:
    """[rows, groups, 64] and the inputs' mean squares [groups, 64] → of a few scales those of the least error [rows, groups]."""
    whole = spanning(groups)
    best_scale, best_error = nonzero(whole), torch.full_like(whole, torch.inf)
    for factor in FACTORS:
        scale = nonzero(whole * factor)
        restored = (groups / scale).round_().clamp_(LEAST, MOST).mul_(scale)
        error = restored.sub_(groups).square_().mul_(importance).sum(dim=-1, keepdim=True)
        best_scale = torch.where(error < best_error, scale, best_scale)
        best_error = torch.minimum(error, best_error)
    return best_scale[..., 0]
