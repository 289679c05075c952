"""The contenders beside Gander: transformers' `generate`, its compiled form, and its continuous batching.

transformers has no such picture model as a whole, so it gets the embeddings that our language model would get. With the same
weights its greedy answer must equal that of our unquantised engine token for token.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import pad
from transformers import GenerationConfig, StaticCache
from transformers.generation.configuration_utils import ContinuousBatchingConfig
from transformers.generation.streamers import BaseStreamer
from transformers.utils.logging import set_verbosity_error

from engine.bench.contender import Timing, UnableError, precision
from engine.bench.roofline import wait_for
from engine.bench.transformers_model import as_transformers
from engine.bench.workload import Talk
from engine.core.detokenizer import Detokenizer
from engine.images.decode import Picture
from engine.images.embedding_cache import EmbeddingCache
from engine.models.base import VisionLanguageModel
from engine.models.minigpt4.minigpt4 import MiniGPT4, as_bytes, normalise
from engine.prompts.context import Context, ContextBuilder, PictureTokens

CPU_SHARE = 0.05  # of the free memory
FORGETS = "keeps nothing from one request to the next"
Result = TypeVar("Result")


def quiet_transformers() -> None:
    """Silences warnings, which would be printed between the figures."""
    set_verbosity_error()
    logging.getLogger("ContinuousBatchingLogger").setLevel(logging.ERROR)


class TransformersContender:
    """`generate` with its defaults: a cache that grows, no CUDA graphs; a batch runs until its longest answer ends."""

    title = "generate"

    def __init__(self, model: VisionLanguageModel) -> None:
        """`model` is ours, unquantised; the weights are shared with it."""
        self.model = model
        self.name = f"{self.title} {precision(model)}"
        self.contexts, self.pictures = ContextBuilder(model), EmbeddingCache(model)
        self.oracle = as_transformers(model.language_model)
        self.ends = sorted(model.tokenizer.eos_ids)

    def answer(self, talk: Talk, tokens: int) -> Timing:
        begun = time.perf_counter()
        clock = Clock()
        ids = self.generate([talk], tokens, streamer=clock)
        text = Detokenizer(self.model.tokenizer, self.model.card.template.stop).decode(ids[0].tolist())[0]
        return Timing(clock.tokens[0] - begun, clock.tokens[-1] - begun, len(clock.tokens), text)

    def write(self, talks: Sequence[Talk], tokens: int) -> None:
        self.generate(talks, tokens)

    def search(self, talk: Talk, beams: int, tokens: int) -> None:
        self.generate([talk], tokens, num_beams=beams, length_penalty=self.model.card.generation.length_penalty)

    def encode(self, pictures: Sequence[Image.Image]) -> None:
        if not isinstance(self.model, MiniGPT4):
            raise UnableError("transformers has no such vision encoder")
        self.encode_one(self.model, pictures)

    @torch.inference_mode()
    def encode_one(self, model: MiniGPT4, pictures: Sequence[Image.Image]) -> None:
        """Encodes by transformers' own ViT and Q-Former, without CUDA graphs."""
        pixels = normalise(as_bytes(model.prepare(pictures)))
        model.vision_encoder(pixels.to(model.device, model.vision_encoder.modality_projector.weight.dtype))
        wait_for(model.device)

    def chat(self, talks: Sequence[Talk], tokens: int) -> list[str]:
        raise UnableError(FORGETS)

    def close(self) -> None:
        """There is nothing to free."""

    @torch.no_grad()  # as transformers itself does; what is made in inference mode could not be compiled over
    def generate(self, talks: Sequence[Talk], tokens: int, **options: Any) -> Tensor:
        """The new token ids, [conversations, tokens]."""
        inputs = self.inputs(talks)
        ids: Tensor = attempt(
            lambda: self.oracle.generate(
                **inputs,
                do_sample=False,
                max_new_tokens=tokens,
                min_new_tokens=tokens,
                eos_token_id=self.ends,
                pad_token_id=self.ends[0],
                **options,
            )
        )
        wait_for(self.model.device)
        ids = ids[:, inputs["input_ids"].shape[1] :] if "input_ids" in inputs else ids
        if ids.shape[1] != tokens:
            raise UnableError(f"{ids.shape[1]} tokens were written, not {tokens}")
        return ids

    def inputs(self, talks: Sequence[Talk]) -> dict[str, Tensor]:
        """What `generate` takes of the conversations' prompts, padded on the left."""
        prompts = [self.contexts.embed(context) for context in map(self.context, talks)]
        longest = max(map(len, prompts))
        hidden = torch.stack([pad(prompt, (0, 0, longest - len(prompt), 0)) for prompt in prompts])
        return {"inputs_embeds": hidden, "attention_mask": left_mask([len(prompt) for prompt in prompts]).to(hidden.device)}

    def context(self, talk: Talk) -> Context:
        pictures = self.pictures.encode([part for turn in talk for part in turn.parts if isinstance(part, Picture)])
        return Context(tuple(self.contexts.tokenise(talk, pictures)), 0)


class CompiledContender(TransformersContender):
    """`generate` with a static cache, whose step transformers hands to torch.compile."""

    title = "static + compile"
    ONE = "compiled for one stream; every other batch would be compiled anew"

    def __init__(self, model: VisionLanguageModel) -> None:
        super().__init__(model)
        self.cache: StaticCache | None = None

    def answer(self, talk: Talk, tokens: int) -> Timing:
        if self.model.device.type != "cuda":
            raise UnableError("transformers compiles on GPUs only")
        return super().answer(talk, tokens)

    def generate(self, talks: Sequence[Talk], tokens: int, **options: Any) -> Tensor:
        """Uses one cache size for all answers, because another size would compile again."""
        if self.cache is None:
            room = 2 * (max(len(self.context(talk)) for talk in talks) + tokens)
            self.cache = StaticCache(config=self.oracle.config, max_cache_len=room)
        self.cache.reset()
        return super().generate(talks, tokens, past_key_values=self.cache, **options)

    def write(self, talks: Sequence[Talk], tokens: int) -> None:
        raise UnableError(self.ONE)

    def search(self, talk: Talk, beams: int, tokens: int) -> None:
        raise UnableError(self.ONE)

    def close(self) -> None:
        """Frees the compiler's graphs, which hold device memory."""
        torch._dynamo.reset()


class ContinuousBatchingContender(TransformersContender):
    """transformers' continuous batching. It takes token ids only, so a picture is replaced by as many ids."""

    title = "continuous batching"
    BEAMLESS = "has no beams"
    BLIND = "takes no pictures and has no stream of words"

    def __init__(self, model: VisionLanguageModel) -> None:
        super().__init__(model)
        self.crowd = 0

    def answer(self, talk: Talk, tokens: int) -> Timing:
        raise UnableError(self.BLIND)

    def search(self, talk: Talk, beams: int, tokens: int) -> None:
        raise UnableError(self.BEAMLESS)

    def encode(self, pictures: Sequence[Image.Image]) -> None:
        raise UnableError(self.BLIND)

    def close(self) -> None:
        """Stops its manager, which holds nearly all of the device's memory."""
        self.oracle.destroy_cached_continuous_batching_manager()

    def write(self, talks: Sequence[Talk], tokens: int) -> None:
        """The first call sizes its manager, so the longest one should come first."""
        if self.crowd != len(talks):
            self.oracle.destroy_cached_continuous_batching_manager()
            self.crowd = len(talks)
        config = GenerationConfig(do_sample=False, max_new_tokens=tokens, eos_token_id=-1, pad_token_id=self.ends[0])
        prompts = [as_ids(self.context(talk)) for talk in talks]
        found = attempt(
            lambda: self.oracle.generate_batch(
                prompts,
                generation_config=config,
                continuous_batching_config=self.room(),
                max_new_tokens=tokens,
                persistent_manager=True,
            )
        )
        written = [len(output.generated_tokens) for output in found.values()]
        if written != [tokens] * len(talks):
            raise UnableError(f"{sum(written)} tokens were written, not {tokens * len(talks)}")

    def room(self) -> ContinuousBatchingConfig:
        """The share of free memory that it may take: most of a GPU's, little of a CPU's, which other programs use too."""
        return ContinuousBatchingConfig() if self.model.device.type == "cuda" else ContinuousBatchingConfig(max_memory_percent=CPU_SHARE)


def left_mask(lengths: Sequence[int]) -> Tensor:
    """1 where a token is, [prompts, longest], for prompts of these lengths that are padded on the left."""
    longest = max(lengths)
    return torch.stack([(torch.arange(longest) >= longest - length).long() for length in lengths])


def as_ids(context: Context) -> list[int]:
    """The prompt as token ids, with arbitrary ids where a picture stands."""
    return [token for part in context.segments for token in (range(3, 3 + len(part)) if isinstance(part, PictureTokens) else part)]


def attempt(work: Callable[[], Result]) -> Result:
    """Runs a peer; a failure, such as a lack of memory or of a compiler, becomes UnableError, so that the bench goes on."""
    try:
        return work()
    except RuntimeError as error:
        raise UnableError(f"{type(error).__name__}: {next(iter(str(error).splitlines()), '')}"[:200]) from error


class Clock(BaseStreamer):
    """A streamer that notes the time of each token; `generate` passes the prompt first."""

    def __init__(self) -> None:
        self.calls: list[float] = []

    @property
    def tokens(self) -> list[float]:
        return self.calls[1:]

    def put(self, value: Tensor) -> None:
        self.calls.append(time.perf_counter())

    def end(self) -> None:
        """Called after the last token; nothing is buffered here."""
