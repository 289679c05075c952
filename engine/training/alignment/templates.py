"""Writes an example as the tokens that a model reads in training, and marks those that it must learn to say.

MiniGPT-4 is spoken to as in its release: captions without a prompt in stage 1, in stage 2 its chat, with a space behind `###Assistant:`
and no system prompt. Every other family is spoken to as its own template writes it when the model is served.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal
from zlib import crc32

import torch
from PIL import Image

from engine.errors import RequestError
from engine.images.decode import Picture
from engine.models.base import EncodedPicture, Tokenizer, VisionLanguageModel
from engine.prompts.context import Context, ContextBuilder, PictureTokens, Segment
from engine.prompts.renderer import neutralise
from engine.prompts.turn import Turn
from engine.training.alignment.dataset import Example
from engine.training.alignment.features import Features

Stage = Literal[1, 2]
SOFT = -1  # stands for a soft token among ids
# The release's, for pairs without a question.
INSTRUCTIONS = (
    "Describe this image in detail.",
    "Take a look at this image and describe what you notice.",
    "Please provide a detailed description of the picture.",
    "Could you describe the contents of this image for me?",
)
CAPTION_END = "\n"  # the release's, in stage 1
CHAT_END = "###"
PROBE = "\ue000"  # a question that nobody asks


@dataclass(frozen=True)
class TrainingRow:
    """`segments` are runs of token ids and pictures, as the engine's prompts are; `learned` says of each token whether it counts.

    `cut` counts the tokens of answers that were over the limit and left out.
    """

    segments: tuple[Segment, ...]
    learned: tuple[bool, ...]
    cut: int = 0

    def __len__(self) -> int:
        return len(self.learned)

    @cached_property
    def ids(self) -> list[int]:
        """With `SOFT` where a soft token stands."""
        return [token for run in self.segments for token in ([SOFT] * len(run) if isinstance(run, PictureTokens) else run)]

    @property
    def positions(self) -> torch.Tensor | None:
        """As `Context.positions`."""
        return Context(self.segments, 0).positions


@dataclass
class RowBuilder:
    """Collects a row; no more than `longest` tokens of it are learned, and none comes after one that is left out."""

    longest: int
    segments: list[Segment]
    learned: list[bool]
    spoken: int = 0
    cut: int = 0

    def add(self, ids: Sequence[int], *, learned: bool = False) -> None:
        if self.cut:
            self.cut += len(ids) if learned else 0
            return
        if learned:
            kept = ids[: self.longest - self.spoken]
            self.cut, self.spoken, ids = len(ids) - len(kept), self.spoken + len(kept), kept
        self.segments.append(tuple(ids))
        self.learned += [learned] * len(ids)

    def show(self, picture: PictureTokens) -> None:
        self.segments.append(picture)
        self.learned += [False] * len(picture)

    def row(self) -> TrainingRow:
        return TrainingRow(tuple(self.segments), tuple(self.learned), self.cut)


@dataclass(frozen=True)
class RowWriter:
    """Writes the rows of one model and stage; `longest` is the most tokens of answers that a row teaches."""

    model: VisionLanguageModel
    stage: Stage
    longest: int

    def write(self, example: Example, features: Sequence[Features]) -> TrainingRow:
        """Raises RequestError for a conversation that the model's template refuses, and where it leaves nothing to learn."""
        shown = [picture_tokens(picture.key, each) for picture, each in zip(example.pictures, features, strict=True)]
        row = RowBuilder(self.longest, [], [])
        if self.stage == 1:
            self.caption(row, example, shown)
        elif self.as_release:
            self.release_chat(row, example, shown)
        else:
            self.own_chat(row, example, {each.key: each.picture for each in shown})
        made = row.row()
        if not any(made.learned) or len(made) > self.model.card.context_length:
            raise RequestError(f"too long: {len(made)} tokens, of which {sum(made.learned)} are an answer's.")
        return made

    def caption(self, row: RowBuilder, example: Example, shown: Sequence[PictureTokens]) -> None:
        """Stage 1: the picture, then what is said of it first."""
        self.begin(row)
        for picture in shown:
            row.show(picture)
        answer = example.turns[0][1]
        row.add(
            self.tokenizer.encode(answer + CAPTION_END) if self.as_release else [*self.tokenizer.encode(answer), *self.eos()], learned=True
        )

    def release_chat(self, row: RowBuilder, example: Example, shown: Sequence[PictureTokens]) -> None:
        """`###Human: <Img>▢</Img> QUESTION ###Assistant: ` ANSWER`###`, each text tokenised by itself."""
        self.begin(row)
        opening = "###Human: "
        for at, (question, answer) in enumerate(example.turns):
            asked = f"{self.plain(question or instruction(example))} ###Assistant: "
            for picture in shown if at == 0 else ():
                row.add(self.tokenizer.encode(opening + "<Img>"))
                row.show(picture)
                opening = "</Img> "
            row.add(self.tokenizer.encode(opening + asked))
            row.add(self.tokenizer.encode(self.plain(answer) + CHAT_END), learned=True)
            opening = "Human: "

    def own_chat(self, row: RowBuilder, example: Example, encoded: Mapping[str, EncodedPicture]) -> None:
        """The prompt that the engine would write, the answer, and what the template puts behind it."""
        builder = ContextBuilder(self.model)
        renderer = builder.renderer(encoded)
        spoken = turns_of(example)
        for run in builder.tokenise(spoken[:1], encoded):
            row.show(run) if isinstance(run, PictureTokens) else row.add(run)
        for at in range(1, len(spoken), 2):
            following = spoken[at + 1 :][:1] or [Turn("user", (PROBE,))]
            before, after = (flat(renderer.render(turns)) for turns in (spoken[:at], [*spoken[: at + 1], *following]))
            answer = neutralise(str(spoken[at].parts[0]), renderer.markers)
            if not after.startswith(before) or answer not in after[len(before) :]:
                raise RequestError("refused: this model's chat template does not show every answer as it is.")
            lead, _, rest = after[len(before) :].partition(answer)
            self.answer(row, lead + answer, rest, last=at + 1 == len(spoken))

    def answer(self, row: RowBuilder, answer: str, rest: str, *, last: bool) -> None:
        """`rest` stands between the answer and the next one: how the answer ends, and the next question."""
        stop = next((stop for stop in self.model.card.template.stop if rest.startswith(stop)), "")
        ids = self.tokenizer.encode(rest.removeprefix(stop))
        ends = self.tokenizer.encode(stop) if stop else ids[:1] if ids[:1] and ids[0] in self.tokenizer.eos_ids else []
        row.add([*self.tokenizer.encode(answer), *(ends or (self.eos() if last else []))], learned=True)
        if not last:
            row.add(ids if stop or not ends else ids[1:])

    def begin(self, row: RowBuilder) -> None:
        if self.model.card.template.bos and self.tokenizer.bos_id is not None:
            row.add([self.tokenizer.bos_id])

    @property
    def as_release(self) -> bool:
        """Whether it is MiniGPT-4 of 2023, not one of its successors, whose templates are others."""
        card = self.model.card
        return card.architecture == "minigpt4" and CHAT_END in card.template.stop

    @property
    def tokenizer(self) -> Tokenizer:
        return self.model.tokenizer

    def eos(self) -> list[int]:
        return sorted(self.tokenizer.eos_ids)[:1]

    def plain(self, text: str) -> str:
        """Without anything that would end a turn."""
        return neutralise(text, (CHAT_END, "<Img>", "</Img>", *self.tokenizer.specials))


def picture_tokens(key: str, features: Features) -> PictureTokens:
    """In place of its embeddings only their number is known."""
    return PictureTokens(key, EncodedPicture(torch.empty(features.soft, 0), features.words, features.grid))


def turns_of(example: Example) -> list[Turn]:
    """A user's turn and the assistant's by turns; the first shows the pictures."""
    pictures = tuple(Picture(Image.new("RGB", (1, 1)), picture.key) for picture in example.pictures)
    turns: list[Turn] = []
    for question, answer in example.turns:
        turns += [Turn("user", (*pictures, question or instruction(example))), Turn("assistant", (answer,))]
        pictures = ()
    return turns


def instruction(example: Example) -> str:
    """One of the release's, the same for a row each time."""
    return INSTRUCTIONS[crc32(example.where.encode()) % len(INSTRUCTIONS)]


def flat(segments: Sequence[str | Picture]) -> str:
    return "".join(segment if isinstance(segment, str) else f"\0{segment.key}\0" for segment in segments)
