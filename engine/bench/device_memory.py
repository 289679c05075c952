"""Measures on a GPU what `gander model plan` calculates: with a model of the real shape whose random weights are made on the GPU.

Reserved memory is what torch's allocator holds, its cache included. The card's own figure also counts CUDA's context and
other programs.
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor, nn

from engine.core.token_stream import TokenStream
from engine.device.captured_module import CapturedModule
from engine.device.meta import without_memory
from engine.layers.linear import Linear
from engine.layers.modes import Quantization
from engine.layers.quantization import dequantize
from engine.layers.quantized import QuantizedLinear
from engine.models.llama.config import LlamaConfig
from engine.models.llama.llama import Llama
from engine.models.llama.prompt_inputs import PromptInputs
from engine.models.minigpt4.config import Architecture
from engine.models.minigpt4.minigpt4 import PictureEncoder
from engine.runner.kv_cache_size import TIGHT_PROMPT
from engine.runner.select_step import choose_step
from engine.weights.llama_loader import empty_language
from engine.weights.memory_needed import TOKENS
from engine.weights.minigpt4_loader import picture_encoder

STEPS = 20  # of the conversation's tokens, decoded one by one
REPEATS = 10
SPREAD = 0.02  # standard deviation of the random weights


@dataclass(frozen=True)
class Measured:
    """Bytes and seconds. `reserved` is the most that torch held; `in_use` what the card itself said at the end."""

    mode: Quantization
    reserved: int
    in_use: int
    encode_one: float
    encode_eight: float
    step: float


def measure(config: LlamaConfig, mode: Quantization, device: torch.device, tokens: int = TOKENS) -> Measured:
    """Measures one picture and one conversation of `tokens` tokens in fp16, as an engine with no memory to spare computes them."""
    gc.collect()
    torch.cuda.init()  # else there are no statistics to reset
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats(device)
    vision_encoder = random_vision_encoder(config.hidden_size, device, torch.float16, Architecture())
    language = random_language(config, mode, device, torch.float16)
    pictures = torch.randn(8, 3, vision_encoder.image_size, vision_encoder.image_size, device=device, dtype=torch.float16)
    with torch.inference_mode():
        step = converse(language, vision_encoder(pictures[:1])[0], tokens)
        reserved = torch.cuda.max_memory_reserved(device)
        free, total = torch.cuda.mem_get_info(device)
        look = CapturedModule(vision_encoder, pictures[:1], [1, 8])
        encode_one, encode_eight = seconds(lambda: look(pictures[:1])), seconds(lambda: look(pictures))
        return Measured(mode, reserved, total - free, encode_one, encode_eight, step)


def converse(language: Llama, picture: Tensor, tokens: int) -> float:
    """Prefills a prompt with the picture [32, width], then decodes up to `tokens` in all; returns seconds a decode step."""
    ids = torch.randint(3, language.config.vocab_size, (tokens - STEPS - len(picture),), device=picture.device)
    stream = TokenStream(language, tokens, choose_step(language), TIGHT_PROMPT)
    stream.runner.capture([1], progress=lambda line: None, prompts=False)
    stream.prefill(PromptInputs(torch.cat((picture, language.embed(ids)))))
    return seconds(lambda: stream.decode(ids[0]), STEPS)


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median time of `repeats` runs, each until the device is done."""
    times = []
    for _ in range(repeats):
        begun = time.perf_counter()
        work()
        torch.cuda.synchronize()
        times.append(time.perf_counter() - begun)
    return median(times)


def random_language(config: LlamaConfig, mode: Quantization, device: torch.device, dtype: torch.dtype, seed: int = 0) -> Llama:
    """A model of this shape with random weights. Quantised matrices get random codes directly, without an fp16 copy."""
    language = empty_language(config, mode, [device], dtype)
    fill(language, torch.Generator(device).manual_seed(seed))
    return language.eval().requires_grad_(False)


def random_vision_encoder(width: int, device: torch.device, dtype: torch.dtype, sizes: Architecture) -> PictureEncoder:
    with without_memory():
        vision_encoder = picture_encoder(sizes, width).to(dtype)
    fill(vision_encoder.to_empty(device=device), torch.Generator(device).manual_seed(1))
    return vision_encoder.requires_grad_(False)


@torch.no_grad()
def fill(module: nn.Module, generator: torch.Generator) -> None:
    """Fills matrices at random and norms with 1; scales are such that restored weights spread as plain ones do."""
    for name, parameter in module.named_parameters():
        if parameter.dtype in (torch.int8, torch.uint8):
            parameter.random_(-127, 128, generator=generator) if parameter.dtype == torch.int8 else parameter.random_(generator=generator)
        elif name.endswith("_scale"):
            parameter.fill_(SPREAD / (73 if parameter.ndim == 1 else 4.6))  # the codes' own deviation
        elif parameter.ndim == 1:
            parameter.fill_(0.0 if name.endswith("bias") else 1.0)
        else:
            parameter.normal_(std=SPREAD, generator=generator)


def same_tokens(config: LlamaConfig, mode: Quantization, device: torch.device, dtype: torch.dtype, count: int) -> int:
    """How many of the first `count` greedy tokens agree between a quantised model and plain matrices restored from its codes."""
    quantised = random_language(config, mode, device, dtype)
    plain = empty_language(config, "none", [device], dtype)
    restore(quantised, plain)
    return agreeing(greedy(quantised, count), greedy(plain, count))


def same_tokens_split(config: LlamaConfig, devices: Sequence[torch.device], dtype: torch.dtype, count: int) -> int:
    """How many of `count` greedy tokens agree between the first device alone and layers split over all."""
    alone = random_language(config, "none", devices[0], dtype)
    split = empty_language(config, "none", devices, dtype)
    restore(alone, split)
    return agreeing(greedy(alone, count), greedy(split, count))


def agreeing(ours: Sequence[int], theirs: Sequence[int]) -> int:
    return next((index for index, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b), len(ours))


@torch.no_grad()
def restore(quantised: Llama, plain: Llama) -> None:
    for name, module in plain.named_modules():
        source = quantised.get_submodule(name)
        if isinstance(module, Linear) and isinstance(source, QuantizedLinear):
            module.weight.copy_(dequantize(source.weight, source.weight_scale, module.weight.dtype))
        elif not list(module.children()):
            for target, value in zip(module.parameters(), source.parameters(), strict=True):
                target.copy_(value)


@torch.inference_mode()
def greedy(language: Llama, count: int) -> list[int]:
    """`count` greedy tokens after a fixed prompt of 64."""
    ids = torch.arange(3, 67, device=language.device)
    stream = TokenStream(language, len(ids) + count)
    chosen = [stream.prefill(PromptInputs(language.embed(ids))).argmax()]
    while len(chosen) < count:
        chosen.append(stream.decode(chosen[-1]).argmax())
    return [int(token) for token in chosen]
