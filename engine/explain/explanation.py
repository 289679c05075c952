"""Puts together how one answer came about: pictures as they were seen, the prompt, and each word with its chances and its look.

It works in small pieces, so that the engine can go on with others' answers between them.
"""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from io import BytesIO

import torch
from PIL import Image
from torch import Tensor

from engine.errors import ContextError, RequestError
from engine.explain.language_maps import Reading, read_again, without_sinks
from engine.explanation import MOST_EXPLAINED, ExplainedAnswer, ExplainedToken, Map, PromptToken, Rival, SeenPicture
from engine.images.decode import Picture
from engine.models.base import PictureMaps, ShowsPictureMaps, Tokenizer, VisionLanguageModel
from engine.models.looks import Looking
from engine.prompts.context import Context, ContextBuilder, PictureTokens
from engine.request import AnswerToExplain

DIGITS = 5  # of a share
FILES = ThreadPoolExecutor(1, thread_name_prefix="png")
WORDS_AT_ONCE = 8  # that are put together without a pause


@dataclass(frozen=True)
class PlacedPicture:
    """A picture of the prompt by its `Picture.key`: its tokens are those from `start` to before `end`."""

    key: str
    start: int
    end: int


def explain(
    contexts: ContextBuilder, context: Context, pictures: Sequence[Picture], asked: AnswerToExplain, lora: Sequence[float] = ()
) -> Generator[None, None, ExplainedAnswer]:
    """`context` is the prompt that was answered, `pictures` all that the request shows, `lora` as in `PrefillChunk`.

    `seconds` is left at 0: whoever runs it knows.

    Raises RequestError for an answer that is none of this model's, ContextError for one that is longer than its window.
    """
    model = contexts.model
    ids, complete = answer_ids(model, context, asked)
    placed = list(pictures_of(context))
    images = {picture.key: picture for picture in pictures}
    seen: dict[str, PictureMaps | None] = {}
    files: dict[str, Future[str]] = {}
    for each in placed:
        if each.key not in seen:
            seen[each.key] = yield from picture_maps(model, images[each.key], each.end - each.start)
            files[each.key] = FILES.submit(png, seen_image(seen[each.key], images[each.key]))
    first = min(placed[-1].end, len(context) - 1) if placed else len(context) - 1
    reading = yield from read_again(
        model.language_model,
        contexts.inputs(context),
        ids,
        first=first,
        lora=lora,
        rivals=asked.rivals,
        layer=asked.layer,
    )
    while not all(file.done() for file in files.values()):
        yield
    shown: list[SeenPicture] = []
    for each in placed:
        shown.append(seen_picture(each, seen[each.key], images[each.key], files[each.key].result()))
        yield
    words: list[ExplainedToken] = []
    for word in words_of(reading, ids, placed, [seen[each.key] for each in placed], model.tokenizer):
        words.append(word)
        if len(words) % WORDS_AT_ONCE == 0:
            yield
    return ExplainedAnswer(
        model=model.card.name,
        pictures=tuple(shown),
        prompt=tuple(prompt_tokens(context, model.tokenizer)),
        answer=tuple(words),
        seconds=0.0,
        complete=complete,
        dropped_messages=context.dropped_messages,
    )


def answer_ids(model: VisionLanguageModel, context: Context, asked: AnswerToExplain) -> tuple[Sequence[int], bool]:
    """The answer's tokens, at most MOST_EXPLAINED, and whether those are all."""
    config = model.language_model.config
    ids = asked.ids or tuple(model.tokenizer.encode(asked.text))
    unknown = [token for token in ids if token >= config.vocab_size]
    if unknown:
        raise RequestError(f"Token {unknown[0]} is none of the {config.vocab_size} that there are.", "answer_token_ids")
    if not ids:
        raise RequestError("The answer has no words to explain.", "answer")
    if asked.layer is not None and asked.layer >= config.num_hidden_layers:
        raise RequestError(f"There is no layer {asked.layer}: the model has {config.num_hidden_layers}, counted from 0.", "layer")
    kept = ids[:MOST_EXPLAINED]
    if len(context) + len(kept) > model.card.context_length:
        raise ContextError(
            f"The prompt's {len(context)} tokens and the answer's {len(kept)} are more than the context's {model.card.context_length}.",
            "answer",
        )
    return kept, len(kept) == len(ids)


def pictures_of(context: Context) -> Iterator[PlacedPicture]:
    at = 0
    for segment in context.segments:
        if isinstance(segment, PictureTokens):
            yield PlacedPicture(segment.key, at, at + len(segment))
        at += len(segment)


def picture_maps(model: VisionLanguageModel, picture: Picture, tokens: int) -> Generator[None, None, PictureMaps | None]:
    """Of a picture that takes so many tokens. None: the model does not say where they stand in it."""
    looking = model.at(picture.look) if isinstance(model, Looking) else model
    if not isinstance(looking, ShowsPictureMaps):
        return None
    found = yield from looking.picture_maps(picture.image)
    eye = None if found.eye is None else found.eye.float().cpu()
    if found.maps is None or found.taken is None:
        standing = math.prod(found.grid) if found.spans is None else len(found.spans[0])
        return replace(found, eye=eye) if standing == tokens else None
    return replace(found, maps=found.maps.float().cpu(), taken=found.taken.float().cpu(), eye=eye)


def seen_image(seen: PictureMaps | None, picture: Picture) -> Image.Image:
    return picture.image if seen is None else seen.image


def png(image: Image.Image) -> str:
    """In base64. Takes as long as many steps for a picture of a megapixel, and lets go of Python's lock meanwhile."""
    file = BytesIO()
    image.save(file, "PNG")
    return b64encode(file.getvalue()).decode("ascii")


def seen_picture(placed: PlacedPicture, seen: PictureMaps | None, picture: Picture, file: str) -> SeenPicture:
    image = seen_image(seen, picture)
    rows, columns = (0, 0) if seen is None else seen.grid
    maps, taken = (None, None) if seen is None else (seen.maps, seen.taken)
    return SeenPicture(
        sha256=picture.sha256,
        png=file,
        width=image.width,
        height=image.height,
        rows=rows,
        columns=columns,
        start=placed.start,
        tokens=placed.end - placed.start,
        maps=() if maps is None else all_shares(maps.mean(0)),
        taken=() if taken is None else all_shares(taken),
        layers=() if maps is None else tuple(map(all_shares, maps)),
        eye=() if seen is None or seen.eye is None else shares(seen.eye),
    )


def prompt_tokens(context: Context, tokenizer: Tokenizer) -> Iterator[PromptToken]:
    pictures = 0
    for segment in context.segments:
        if isinstance(segment, PictureTokens):
            yield PromptToken(picture=pictures)
            pictures += 1
        else:
            yield from (PromptToken(text=tokenizer.spell(token)[0], id=token) for token in segment)


def words_of(
    reading: Reading, ids: Sequence[int], placed: Sequence[PlacedPicture], seen: Sequence[PictureMaps | None], tokenizer: Tokenizer
) -> Iterator[ExplainedToken]:
    lit = without_sinks(reading.attention, len(ids))
    for at, token in enumerate(ids):
        raw = reading.words[at]
        cuts = [slice(each.start, each.end) for each in placed]
        counted = max(1 - float(raw[0]), 1e-9)
        yield ExplainedToken(
            text=tokenizer.spell(token, at == 0)[0],
            id=token,
            probability=share(reading.probabilities[at]),
            rivals=tuple(
                Rival(text=tokenizer.spell(rival, at == 0)[0], id=rival, probability=share(chance))
                for rival, chance in zip(reading.rival_ids[at].tolist(), reading.rivals[at], strict=True)
            ),
            on_pictures=share(torch.tensor(sum(float(raw[cut].sum()) for cut in cuts) / counted)),
            attention=tuple(shares(raw[cut]) for cut in cuts),
            looked=tuple(
                shares(lit[at, cut] if maps is None else maps.on_patches(lit[at, cut])) for cut, maps in zip(cuts, seen, strict=True)
            ),
        )


def all_shares(rows: Tensor) -> tuple[Map, ...]:
    """[rows, places], rounded all at once: a number by itself takes Python ten times as long."""
    return tuple(map(tuple, rows.double().nan_to_num(0.0).round(decimals=DIGITS).tolist()))


def shares(row: Tensor) -> Map:
    return all_shares(row[None])[0]


def share(value: Tensor) -> float:
    number = float(value)
    return round(number, DIGITS) if math.isfinite(number) else 0.0
