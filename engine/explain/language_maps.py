"""Reads a finished answer once more, all of it at once (teacher forcing), and sees what each of its words was written from."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from engine.device.async_copy import upload
from engine.explain.attention_recorder import AttentionRecorder
from engine.models.llama.llama import Llama
from engine.models.llama.prompt_inputs import PromptInputs, joined_deepstack, offset_of


@dataclass(frozen=True)
class Reading:
    """What the language model did for each of an answer's tokens, on the host.

    `attention` [rows, tokens] are the rows from the prompt's token `first` on, of which the last ones wrote the answer: the row of a
    token is the row that it was predicted by, the one before it. `probabilities` [answer] by the model's own softmax, `rivals` and
    their ids [answer, rivals] likeliest first.
    """

    attention: Tensor
    probabilities: Tensor
    rivals: Tensor
    rival_ids: Tensor

    @property
    def words(self) -> Tensor:
        """The rows that wrote the answer, [answer, tokens]."""
        return self.attention[-len(self.probabilities) :]


def read_again(
    language: Llama,
    prompt: PromptInputs,
    answer: Sequence[int],
    *,
    first: int,
    lora: Sequence[float],
    rivals: int,
    layer: int | None = None,
) -> Generator[None, None, Reading]:
    """One pass over the prompt and the answer, a layer each time that it is resumed.

    `lora` is the scale of each of the model's adapters; empty: all are off.
    `layer`: the attention of that one, else the mean over all of them.
    """
    inputs = with_answer(language, prompt, answer)
    rows = len(inputs) - first
    recorder = AttentionRecorder(rows, layer)
    places = upload(inputs.placed(0)[:, None], language.device)
    positions = places if language.config.mrope else places[0]
    hidden = inputs.embeddings[None]
    lora_scale = torch.tensor(lora, dtype=language.dtype, device=language.device).expand(1, 1, -1) if any(lora) else None
    deepstack = None if inputs.deepstack is None else inputs.deepstack[:, None]
    for index in range(language.config.num_hidden_layers):
        hidden = language.run(range(index, index + 1), hidden, positions, recorder, lora_scale, deepstack)
        yield
    written = hidden[0, -len(answer) :]
    probabilities = language.logits(language.model.norm(written)).softmax(-1)  # [answer, vocabulary]
    best = probabilities.topk(rivals)
    chosen = torch.tensor(answer, device=probabilities.device)[:, None]
    yield
    return Reading(recorder.weights.cpu(), probabilities.gather(1, chosen)[:, 0].cpu(), best.values.cpu(), best.indices.cpu())


def with_answer(language: Llama, prompt: PromptInputs, answer: Sequence[int]) -> PromptInputs:
    """The prompt with all of the answer's tokens but the last, which predicts nothing that was written."""
    ids = upload(torch.tensor(answer[:-1], dtype=torch.long), language.device)
    written = PromptInputs(language.embed(ids))
    positions = prompt.positions
    if positions is not None:
        after = torch.arange(len(prompt), len(prompt) + len(ids)) + offset_of(positions)
        positions = torch.cat((positions, after.expand(3, -1)), dim=1)
    return PromptInputs(torch.cat((prompt.embeddings, written.embeddings)), positions, joined_deepstack([prompt, written]))


def without_sinks(attention: Tensor, words: int) -> Tensor:
    """What each of the last `words` rows looks at more than the rows do on the average, [words, tokens].

    A language model parks most of its attention on tokens that mean nothing to it: the first one, and a few of a picture's, whatever
    the word (Xiao et al. 2023, "attention sinks"; Darcet et al. 2023, "registers"). All rows have those in common, and so the mean
    of all rows takes them away; what is left says what is special about a word.
    """
    return (attention[-words:] - attention.mean(0, keepdim=True)).clamp(min=0)
