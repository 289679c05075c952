"""The second training stage: the language model learns to answer from the words and soft tokens of pictures."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from tokenizers import Tokenizer
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from engine.models.llama.llama import Llama
from engine.models.pocket.qformer import QUERIES

# People set their own system prompts, and the model must answer under any.
OTHER_SYSTEMS = (
    "You are a helpful assistant.",
    "You are a friendly bot in a chat group. Answer briefly.",
    "You look at pictures and answer questions about them. Be honest when you do not know.",
)
BUCKET = 16  # batches whose conversations are sorted by length together, so that little is padding


@dataclass(frozen=True)
class Prompt:
    """The parts of the card's template that training needs. A test compares it with what the engine renders."""

    before: tuple[str, ...]  # the picture, under several system prompts; the card's own comes first
    after: str  # the picture, up to the first question; `{words}`
    question: str  # `{content}` and what opens the answer
    end: str  # of an answer, which the model must say
    between: str  # an answer's end and the next question

    @classmethod
    def read(cls, card: Path) -> Prompt:
        template = json.loads(card.read_text(encoding="utf-8"))["template"]
        opening, closing = template["user"].split("{content}")
        before, after = template["picture"].split("{picture}")
        end = template["stop"][0]
        between = template["assistant"].split("{content}")[1].removeprefix(end) + opening
        systems = [template["system"].format(content=content) for content in (template["default_system"], *OTHER_SYSTEMS)]
        return cls(
            tuple(system + opening + before for system in (*systems, "")), after, "{content}" + closing + template["answer"], end, between
        )


@dataclass(frozen=True)
class Chats:
    """Tokenised conversations, concatenated. `spoken` marks the answers' tokens, which the model is trained to predict."""

    ids: NDArray[np.uint16]
    spoken: NDArray[np.bool_]
    ends: NDArray[np.int64]
    scenes: NDArray[np.int64]

    def row(self, i: int) -> tuple[NDArray[np.uint16], NDArray[np.bool_]]:
        start = int(self.ends[i - 1]) if i else 0
        return self.ids[start : self.ends[i]], self.spoken[start : self.ends[i]]

    @property
    def lengths(self) -> NDArray[np.int64]:
        return np.diff(self.ends, prepend=0)


def tokenise(lines: Sequence[str], chats_a_scene: int, prompt: Prompt, tokenizer: Tokenizer) -> Chats:
    """Each line: `[words, [[question, answer] …]]` as JSON."""
    rows = [_pieces(line, prompt) for line in lines]
    flat = tokenizer.encode_batch_fast([text for row in rows for text, _ in row], add_special_tokens=False)
    encoded = iter(flat)
    ids, spoken, ends = [], [], []
    total = 0
    for row in rows:
        for _, said in row:
            piece = next(encoded).ids
            ids.append(np.array(piece, np.uint16))
            spoken.append(np.full(len(piece), said))
            total += len(piece)
        ends.append(total)
    return Chats(np.concatenate(ids), np.concatenate(spoken), np.array(ends), np.arange(len(lines)) // chats_a_scene)


def _pieces(line: str, prompt: Prompt) -> list[tuple[str, bool]]:
    words, turns = json.loads(line)
    pieces: list[tuple[str, bool]] = []
    text = prompt.after.format(words=words)
    for question, answer in turns:
        pieces += [(text + prompt.question.format(content=question), False), (answer + prompt.end, True)]
        text = prompt.between
    return pieces


class LanguageStage:
    """Trains the language model's LoRA adapters on chats; the soft tokens [scenes, 24, width] are the first stage's."""

    name = "speak"

    def __init__(
        self, language: Llama, adapters: nn.Module, chats: Chats, soft: Tensor, openings: Sequence[Tensor], batch: int, seed: int
    ) -> None:
        self.language, self.adapters, self.chats, self.soft = language, adapters, chats, soft
        self.openings, self.batch, self.seed = openings, batch, seed
        self.lora_scale = torch.ones(1, 1, 1, device=soft.device)

    def trained(self) -> nn.Module:
        return self.adapters

    def loss(self, step: int) -> tuple[Tensor, dict[str, float]]:
        hidden, targets = self.run(self.rows(step), self.openings[step % len(self.openings)])
        logits = self.language.logits(hidden)
        right = (logits.argmax(-1) == targets).float().mean()
        return cross_entropy(logits, targets), {"token": float(right)}

    def rows(self, step: int) -> NDArray[np.int64]:
        """The conversations of a step: neighbours in length from a random bucket."""
        bucket, slot = divmod(step, BUCKET)
        rng = np.random.default_rng((self.seed, bucket))
        chosen = rng.integers(len(self.chats.ends), size=self.batch * BUCKET)
        chosen = chosen[np.argsort(self.chats.lengths[chosen], kind="stable")]
        rows: NDArray[np.int64] = chosen.reshape(BUCKET, self.batch)[rng.permutation(BUCKET)[slot]]
        return rows

    def run(self, rows: NDArray[np.int64], prefix: Tensor) -> tuple[Tensor, Tensor]:
        """Final hidden states before each token that must be said [tokens, width], and those tokens [tokens]."""
        device = self.soft.device
        texts = [self.chats.row(int(row)) for row in rows]
        longest = max(len(ids) for ids, _ in texts)
        ids, spoken = np.zeros((len(rows), longest), np.int64), np.zeros((len(rows), longest), bool)
        for i, (text, said) in enumerate(texts):
            ids[i, : len(text)], spoken[i, : len(text)] = text, said
        tokens, mask = torch.from_numpy(ids).to(device), torch.from_numpy(spoken).to(device)
        opening = self.language.embed(prefix[None].expand(len(rows), -1))
        soft = self.soft[torch.from_numpy(self.chats.scenes[rows]).to(device)].to(opening.dtype)
        embedded = torch.cat((opening, soft, self.language.embed(tokens)), dim=1)
        positions = torch.arange(embedded.shape[1], device=device)[None]
        hidden = self.language(embedded, positions, lora_scale=self.lora_scale)
        start = len(prefix) + QUERIES
        return hidden[:, start - 1 : -1][mask], tokens[mask]
