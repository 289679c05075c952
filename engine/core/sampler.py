"""Chooses next tokens: transformers' logits processors in transformers' order, each row by its own parameters.

A draw is the largest of score plus Gumbel noise (Gumbel 1954; Maddison et al. 2014), whose every number is a function of seed,
choice, position and token id alone: other rows of the batch never change an answer, and a small change of scores only near-ties.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import torch
from torch import Tensor

from engine.core.sampling_params import SamplingParams
from engine.device.async_copy import upload
from engine.models.card import Generation

# SplitMix64 (Steele, Lea and Flood 2014) as signed integers: its step, then what it multiplies by after each shift.
STEP = 0x9E3779B97F4A7C15 - (1 << 64)
MIX = ((30, 0xBF58476D1CE4E5B9 - (1 << 64)), (27, 0x94D049BB133111EB - (1 << 64)))


class Sampler:
    """Processes scores and chooses tokens for batches of rows. Counts for each slot how often it wrote each token, for the penalties."""

    def __init__(self, slots: int, vocabulary: int, ends: Collection[int], device: torch.device) -> None:
        self.device = device
        self.seen = torch.zeros(slots, vocabulary, dtype=torch.int16, device=device)  # how often
        self.ends = torch.tensor(sorted(ends), dtype=torch.long, device=device)
        self.is_end = torch.zeros(vocabulary, dtype=torch.bool, device=device).index_fill_(0, self.ends, True)  # for the beams' kernels

    def begin(self, slot: int) -> None:
        """A new row starts in this slot: it has written nothing."""
        self.seen[slot] = 0

    def process(self, scores: Tensor, params: Sequence[SamplingParams]) -> Tensor:
        """`scores` [rows, vocabulary] after penalties (repetition: Keskar et al. 2019; the others: OpenAI's) and biases.

        Tokens that may not come, EOS before `min_tokens` and what a grammar does not allow, are at -inf.
        """
        if any(each.generation.penalises for each in params):
            scores = self.penalised(scores, params)
        biased = [(row, token, value) for row, each in enumerate(params) for token, value in each.bias]
        if biased:
            rows, tokens, values = zip(*biased, strict=True)
            scores = scores.index_put((self.upload(rows), self.upload(tokens)), self.upload(values, scores.dtype), accumulate=True)
        if any(each.ends_barred for each in params):
            barred = self.upload([each.ends_barred for each in params])[:, None]
            scores = scores.index_copy(1, self.ends, scores[:, self.ends].masked_fill(barred, -torch.inf))
        if any(each.allowed is not None for each in params):
            places = torch.arange(scores.shape[-1], device=scores.device)
            words = upload(torch.tensor(bits([each.allowed for each in params], scores.shape[-1]), dtype=torch.int32), self.device)
            scores = scores.masked_fill((words[:, places >> 5] >> (places & 31)) & 1 == 0, -torch.inf)
        return scores

    def penalised(self, scores: Tensor, params: Sequence[SamplingParams]) -> Tensor:
        made = [each.generation for each in params]
        factors = [[each.repetition_penalty, each.frequency_penalty, each.presence_penalty] for each in made]
        repetition, frequency, presence = upload(torch.tensor(factors), self.device).T[:, :, None]  # [rows, 1] each
        times = self.seen[self.upload([each.slot for each in params])]
        repeated = torch.where(scores < 0, scores * repetition, scores / repetition)
        return torch.where(times > 0, repeated - frequency * times - presence, scores)

    def choose(self, scores: Tensor, params: Sequence[SamplingParams]) -> Tensor:
        """Processed `scores` [rows, vocabulary] → token ids [rows]: the likeliest at temperature 0, else a draw."""
        likeliest = scores.argmax(dim=-1)
        if all(each.generation.temperature == 0 for each in params):
            return likeliest
        warped, ids = candidates(scores, [each.generation for each in params])
        drawn = (warped + gumbels(self.upload([each.key for each in params]), ids)).argmax(dim=-1, keepdim=True)
        greedy = self.upload([each.generation.temperature == 0 for each in params])
        return torch.where(greedy, likeliest, ids.expand_as(warped).gather(1, drawn)[:, 0])

    def note(self, tokens: Tensor, params: Sequence[SamplingParams], parents: Sequence[int] | None = None) -> None:
        """Counts `tokens` [rows] as written; row i first takes over the counts of row `parents[i]`. Only if a penalty asks."""
        if any(each.generation.penalises for each in params):
            slots = self.upload([each.slot for each in params])
            if parents is not None:
                self.seen[slots] = self.seen[slots[self.upload(parents)]]
            self.seen[slots, tokens] += 1

    def upload(self, values: Sequence[float | int | bool], dtype: torch.dtype | None = None) -> Tensor:
        """The values as a tensor on the device, without waiting for the device."""
        return upload(torch.tensor(values, dtype=dtype), self.device)


def candidates(scores: Tensor, generations: Sequence[Generation], keep: int = 1) -> tuple[Tensor, Tensor]:
    """Temperature, then top-k, then top-p (Holtzman et al. 2019) over `scores` [rows, vocabulary].

    → (scores, ids) [rows, candidates]: -inf for a token that is cut off, of which at least `keep` are left in each row. Sorted,
    likeliest first, as far as the largest top-k; but if no row cuts anything off, nothing is sorted and ids are [1, vocabulary].
    Rows at temperature 0 are treated as at 1.
    """
    vocabulary = scores.shape[-1]
    ranks = [min(max(made.top_k, keep), vocabulary) if made.top_k else vocabulary for made in generations]
    settings = torch.tensor(
        [[made.temperature or 1.0, made.top_p if made.top_p < 1 else 2.0, rank] for made, rank in zip(generations, ranks, strict=True)]
    )
    temperature, top_p, top_k = upload(settings, scores.device)[:, :, None].unbind(1)  # [rows, 1] each
    most, scaled = max(ranks), scores.div(temperature)
    if all(made.top_p >= 1 and rank == vocabulary for made, rank in zip(generations, ranks, strict=True)):
        return scaled, torch.arange(vocabulary, device=scores.device)[None]
    sorts = scores.is_cuda and most == vocabulary  # on a GPU twice as fast as topk of everything, on a CPU four times as slow
    likeliest, ids = scaled.sort(descending=True) if sorts else scaled.topk(most)
    rank = torch.arange(most, device=scores.device)
    likeliest = likeliest.masked_fill(rank >= top_k, -torch.inf)
    # top-p 1 keeps everything: it stands as 2 above, which a sum that is rounded up never reaches.
    before = likeliest.softmax(dim=-1).cumsum(dim=-1).roll(1, dims=-1)
    before[:, 0] = 0
    return likeliest.masked_fill((before >= top_p) & (rank >= keep), -torch.inf), ids


def gumbels(keys: Tensor, ids: Tensor) -> Tensor:
    """Standard Gumbel noise [rows, n] for token `ids` [rows or 1, n], from each row's key [rows]; finite, the same on every device.

    It is number `id` of the SplitMix64 stream that begins at the key, as a share of 2^64. Large noise comes from small shares,
    which keep their relative precision in fp32.
    """
    mixed = ids * STEP + keys[:, None]  # wraps around
    for shift, factor in MIX:
        mixed ^= (mixed >> shift) & ((1 << (64 - shift)) - 1)
        mixed *= factor
    mixed ^= (mixed >> 31) & ((1 << 33) - 1)
    share = ((mixed >> 1) & ((1 << 63) - 1)).float().mul_(2.0**-63).clamp_(2.0**-64, 1 - 2.0**-24)
    return share.neg_().log1p_().neg_().log_().neg_()


def log_probabilities(scores: Tensor, params: Sequence[SamplingParams]) -> Tensor:
    """Log-probabilities [rows, vocabulary] of processed `scores` at each row's temperature (1 at temperature 0), before top-k and top-p."""
    temperature = upload(torch.tensor([each.generation.temperature or 1.0 for each in params]), scores.device)
    return scores.div(temperature[:, None]).log_softmax(dim=-1)


def bits(masks: Sequence[bytes | None], vocabulary: int) -> list[list[int]]:
    """Each mask as signed 32-bit words; no mask = every token is allowed."""
    words = -(-vocabulary // 32)
    return [[-1] * words if mask is None else list(memoryview(mask[: 4 * words]).cast("i")) for mask in masks]
