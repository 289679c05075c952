"""What engines other than Gander's own understand of our requests: which server it is, asked once, and what that one lacks.

A field that a server does not know is ignored by some and refused by others, so none is sent; and people are told that
the knob has no effect there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from engine.api import ChatRequest

# What OpenAI's protocol lacks.
OURS: Final = frozenset({"top_k", "num_beams", "repetition_penalty", "length_penalty", "early_stopping", "min_tokens", "beam_tree"})
FOREIGN_ROWS: Final = 4  # in flight at a server that does not say how many it can run at once


@dataclass(frozen=True, slots=True)
class Kind:
    """A server that answers 200 with JSON at `path`, and which of our fields it takes beside OpenAI's."""

    name: str
    path: str
    takes: frozenset[str] = frozenset()


# From each project's documentation of its extra parameters. Beams are in none of them: vLLM's are another request.
KINDS: Final = (
    Kind("vLLM", "/version", frozenset({"top_k", "repetition_penalty", "min_tokens"})),
    Kind("SGLang", "/get_server_info", frozenset({"top_k", "repetition_penalty", "min_tokens"})),
    Kind("Ollama", "/api/version"),
    Kind("llama.cpp", "/props", frozenset({"top_k"})),
)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A server that is not Gander's: the model to ask it for, and our fields that it lacks."""

    model: str
    lacks: frozenset[str] = OURS

    def adapt(self, request: ChatRequest) -> ChatRequest:
        """The request as this server takes it. Fields that it lacks count as never set."""
        said = {name: getattr(request, name) for name in request.model_fields_set - self.lacks}
        return ChatRequest.model_construct(**said | {"model": request.model or self.model})


def choose(models: list[str], wanted: str) -> str:
    """The model that the operator named, where the server has it; else its first."""
    return wanted if wanted in models else models[0]
