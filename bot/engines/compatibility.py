"""Changes requests for servers other than Gander's own engine: which server it is, asked once, and which fields it does not take.

A field that a server does not know is ignored by some and refused by others, so none is sent; and people are told that
the setting has no effect there. Where a server refuses a field all the same, its refusal says which one to leave out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from bot.errors import EngineRefused, Fault
from engine.api import ChatRequest, ErrorDetail, Message

# Fields of our requests that OpenAI's protocol lacks.
OURS: Final = frozenset({"top_k", "num_beams", "repetition_penalty", "length_penalty", "early_stopping", "min_tokens", "beam_tree", "find"})
PICTURES: Final = "pictures"  # among what a server lacks: its model sees none
OTHER_SERVER_ROWS: Final = 4  # in flight at a server that does not say how many it can run at once

_NEEDED: Final = frozenset({"model", "messages", "stream"})
_UNSUPPORTED: Final = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|not permitted|not allowed|extra (fields|inputs)", re.IGNORECASE
)
_SIGHT: Final = r"(images?|pictures?|vision|visual|multi-?modal)"
_SIGHTLESS: Final = re.compile(
    rf"{_SIGHT}[^.]{{0,50}}(not supported|unsupported|not enabled)"
    rf"|(not support|not accept|n't support|cannot (see|read))[^.]{{0,40}}{_SIGHT}"
    r"|not a (multi-?modal|vision)|(at most|up to) 0 image",
    re.IGNORECASE,
)
_NO_CHAT: Final = re.compile(r"embed|rerank|whisper|(^|[^a-z])(tts|bge|e5)([^a-z]|$)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServerKind:
    """A server that answers 200 with JSON at `path`, and which of our fields it takes beside OpenAI's."""

    name: str
    path: str
    takes: frozenset[str] = frozenset()
    shows: str = ""  # where it describes a model that is named in a POST


# From each project's documentation of its extra parameters. Beams are in none of them: vLLM's are another request.
SERVER_KINDS: Final = (
    ServerKind("vLLM", "/version", frozenset({"top_k", "repetition_penalty", "min_tokens"})),
    ServerKind("SGLang", "/get_server_info", frozenset({"top_k", "repetition_penalty", "min_tokens"})),
    ServerKind("Ollama", "/api/version", shows="/api/show"),
    ServerKind("llama.cpp", "/props", frozenset({"top_k"})),
)


@dataclass(frozen=True, slots=True)
class OtherServer:
    """A server that is not Gander's: the model to ask it for, and the fields that it lacks. `newer`: it wants the limit of an answer
    under OpenAI's newer name, `max_completion_tokens`."""

    model: str
    lacks: frozenset[str] = OURS
    newer: bool = False
    rows: int = OTHER_SERVER_ROWS  # answers at once
    context_length: int | None = None  # tokens of one conversation

    @property
    def sightless(self) -> bool:
        return PICTURES in self.lacks

    def adapt(self, request: ChatRequest) -> ChatRequest:
        """The request as this server takes it: without the fields that it lacks, with its model and its name for the token limit."""
        said = {name: getattr(request, name) for name in request.model_fields_set - self.lacks}
        said["messages"] = tuple(map(_in_openais_details, request.messages))
        if self.newer and said.get("max_tokens") is not None:
            said["max_completion_tokens"] = said.pop("max_tokens")
        return ChatRequest.model_construct(**said | {"model": request.model or self.model})

    def learn(self, sent: ChatRequest, detail: ErrorDetail) -> OtherServer | None:
        """What its refusal of `sent` says about how to ask it; None: nothing, it refuses the question itself."""
        if sent.max_tokens is not None and not self.newer and "max_completion_tokens" in detail.message:
            return replace(self, newer=True)
        if not any(_UNSUPPORTED.search(words) for words in (detail.message, detail.code or "")):
            return None
        optional = sent.model_fields_set - _NEEDED - self.lacks
        named = next((name for name in sorted(optional) if re.search(rf"\b{name}\b", f"{detail.param} {detail.message}")), None)
        return replace(self, lacks=self.lacks | {named}) if named else None


def _in_openais_details(message: Message) -> Message:
    """`normal` detail is ours alone."""
    if isinstance(message.content, str):
        return message
    parts = [
        part.model_copy(update={"image_url": part.image_url.model_copy(update={"detail": "auto"})})
        if part.type == "image_url" and part.image_url.detail == "normal"
        else part
        for part in message.content
    ]
    return message.model_copy(update={"content": tuple(parts)})


def described(server: OtherServer, told: Mapping[str, Any]) -> OtherServer:
    """The server with what its own description adds: llama.cpp's `/props`, Ollama's `/api/show`."""
    senses, abilities, slots = told.get("modalities"), told.get("capabilities"), told.get("total_slots")
    blind = isinstance(senses, dict) and senses.get("vision") is False
    blind = blind or (isinstance(abilities, list) and "completion" in abilities and "vision" not in abilities)
    standard = told.get("default_generation_settings")
    window = standard.get("n_ctx") if isinstance(standard, dict) else None
    return replace(
        server,
        lacks=server.lacks | {PICTURES} if blind else server.lacks,
        rows=slots if isinstance(slots, int) and slots > 0 else server.rows,
        context_length=window if isinstance(window, int) and window > 0 else server.context_length,
    )


def sees_nothing(detail: ErrorDetail) -> bool:
    """Whether a refusal says that the model sees no pictures."""
    return bool(_SIGHTLESS.search(detail.message))


def choose(models: Sequence[str], wanted: str) -> str:
    """The model to ask a server for: the one that the operator named, or where none is named the first that can converse.

    A name without its tag or its owner's name is enough where it means one. Raises EngineRefused with the list where there is none.
    """
    if not wanted:
        return next((model for model in models if not _NO_CHAT.search(model)), models[0])
    for same in (_exactly, _but_for_case, _with_latest, _without_tag, _by_last_name):
        found = [model for model in models if same(model, wanted)]
        if len(found) == 1:
            return found[0]
    listed = ", ".join(models[:20])
    raise EngineRefused(f"There is no model {wanted!r}. Set engine.model (or --model) to one of: {listed}", fault=Fault.MODEL)


def _exactly(model: str, wanted: str) -> bool:
    return model == wanted


def _but_for_case(model: str, wanted: str) -> bool:
    return model.lower() == wanted.lower()


def _with_latest(model: str, wanted: str) -> bool:
    return model.lower() == f"{wanted.lower()}:latest"


def _without_tag(model: str, wanted: str) -> bool:
    return model.lower().partition(":")[0] == wanted.lower()


def _by_last_name(model: str, wanted: str) -> bool:
    """`owner/name`, or a file: `models/name.gguf`."""
    return model.lower().replace("\\", "/").rpartition("/")[2].removesuffix(".gguf") == wanted.lower().removesuffix(".gguf")
