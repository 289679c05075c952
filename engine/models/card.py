"""`gander.json`, the card of a ready model folder: what the model is, how it is spoken to, and its defaults. No torch.

A folder is ready if and only if this file is in it: importers write it last, then rename the folder into place.
"""

from __future__ import annotations

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.layers.modes import Quantization

CARD_NAME = "gander.json"
FALLBACK: Final = "fallback"  # the architecture of all that transformers' own `generate` answers


class Component(BaseModel):
    """A component that came from elsewhere, with the licence it is under."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    source: str
    licence: str


class Generation(BaseModel):
    """Defaults for what a request leaves open. `temperature` 0 = greedy; `max_tokens` counts new tokens."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    num_beams: int = 1
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    length_penalty: float = 1.0
    early_stopping: bool | Literal["never"] = False  # when a beam search ends: see `engine.beams`
    max_tokens: int = 300

    @property
    def penalises(self) -> bool:
        """Whether what was written already counts."""
        return self.repetition_penalty != 1 or self.frequency_penalty != 0 or self.presence_penalty != 0


class Template(BaseModel):
    """How messages become text. Each field is literal text with `{content}` or `{picture}`/`{words}` slots.

    `{picture}` is where a picture's embeddings stand, `{words}` what the model's vision encoder says of it in words. A text
    segment between two pictures is tokenised by itself; BOS comes only before the first segment.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    bos: bool = True
    system: str = "{content}"
    default_system: str = ""
    default_system_without_pictures: str | None = None  # None = `default_system` there too
    user: str
    assistant: str  # a finished answer, `{content}`
    answer: str  # what opens the answer to be generated
    picture: str = "{picture}"
    one_picture: bool = False  # the model knows conversations about one picture: they begin with the newest
    lone_picture: str | None = None  # a picture that is not the last of its message (v0: a turn of its own)
    stop: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()  # what else marks turns: a message that spells it could forge one, so it is broken up


class ChatTemplate(BaseModel):
    """A repository's own template in Jinja, as transformers renders it. `placeholder` is the text that a picture's embeddings replace;
    `tokens` are the special tokens that it may name, such as `bos_token`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    jinja: str
    placeholder: str
    tokens: tuple[tuple[str, str], ...] = ()
    bos: bool = True  # where the tokenizer begins every text with one
    stop: tuple[str, ...] = ()


class Card(BaseModel):
    """The whole of `gander.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    name: str
    architecture: Literal[
        "pocket",
        "minigpt4",
        "minigpt_v2",
        "idefics3",
        "internvl",
        "llava",
        "llava_next",
        "llava_onevision",
        "qwen2_5_vl",
        "qwen3_vl",
        "smolvlm",
        "fallback",
    ]
    version: str = ""  # of the architecture; of a fallback its `model_type`
    context_length: int = Field(gt=0)  # tokens
    quantization: Quantization = "none"
    template: Template | ChatTemplate
    generation: Generation = Generation()
    languages: tuple[str, ...] = ()  # BCP 47; empty = no claim
    apologies: dict[str, str] = Field(default_factory=dict)  # language → what a question in it gets when not spoken
    # Language → what is said, with {words} in it, to a question about writing that was quoted; empty: the model answers by itself.
    recitals: dict[str, str] = Field(default_factory=dict)
    notice: str = ""  # what the model is and can't do, one sentence for people
    parts: tuple[Component, ...] = ()

    @property
    def kind(self) -> str:
        """What it is, for people."""
        return f"{self.version} (fallback)" if self.architecture == FALLBACK else self.architecture
