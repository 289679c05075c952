"""The wire's types: what a client of the engine may send and what comes back. No torch; the bot imports this module.

The form is OpenAI's chat completions; the fields that are ours say so. Unknown fields are ignored, so that any client
works unchanged; null stands for a field that is not given, as in OpenAI's. Temperatures and penalties are dimensionless, `created` is
in Unix seconds, memory is in bytes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

MAX_BEAMS = 10
MAX_CHOICES = 8
MAX_TOP_LOGPROBS = 20
# No window is so wide that more could count; what is longer only costs time, everybody's.
MAX_MESSAGES = 4_000
MAX_PARTS = 256  # of a message
MAX_STOPS = 16
MAX_BIASED = 1024  # tokens
MAX_FORGOTTEN = 10_000  # pictures at once
MAX_STOP_LENGTH = 256  # characters
MAX_FIND_LENGTH = 200  # characters

SEED_BITS = 64

# Ours; on GET /health: which bot asks, and how many questions wait in its queue. A cluster starts as many engines as they need.
BOT_HEADER, WAITING_HEADER = "X-Gander-Bot", "X-Gander-Waiting"

Role = Literal["system", "user", "assistant"]
FinishReason = Literal["stop", "length", "content_filter"]  # the last from other servers alone


def unless_null(default: object) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value is None else value)


def is_none(value: object) -> bool:
    """For fields that are left out of the JSON unless they say something, as OpenAI's own servers do."""
    return value is None


PictureDetail = Literal["auto", "low", "normal", "high"]


class Wire(BaseModel):
    """Base of every type on the wire: immutable, tolerant of unknown fields."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class TextPart(Wire):
    type: Literal["text"] = "text"
    text: str


class ImageUrl(Wire):
    """`url` is a data URL (`data:image/png;base64,…`). The engine fetches nothing: other schemes are refused.

    `detail` says how closely the picture is looked at, never more so than the operator allows, which is what `auto` means; `normal` is
    ours. Models that look at every picture alike ignore it.
    """

    url: str
    detail: PictureDetail | None = None


class ImagePart(Wire):
    type: Literal["image_url"] = "image_url"
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


def in_words(value: Any) -> Any:
    """A message as the engine's models know them: what tools were asked and said, and refusals, are text; `developer` is the system."""
    if not isinstance(value, dict):
        return value
    role, content = value.get("role"), value.get("content")
    said = [f"[called {name}({given})]" for name, given in calls_of(value)] if role == "assistant" else []
    if role == "assistant" and content is None:
        content = value.get("refusal") or ""
    if role in ("tool", "function"):
        role, said = "user", ["[a tool answered]"]
    if role == "developer":
        role = "system"
    if isinstance(content, list):
        content = [in_text(part) for part in content]
        content = [*({"type": "text", "text": text} for text in said), *content]
    elif isinstance(content, str):
        content = "\n".join([content, *said] if role == "assistant" else [*said, content]).strip() if said else content
    return {**value, "role": role} | ({} if content is None else {"content": content})


def calls_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    """The names and arguments of the tools that a message called, as far as they are well-formed."""
    calls = message.get("tool_calls")
    called = [call.get("function") for call in calls if isinstance(call, dict)] if isinstance(calls, list) else []
    return [(str(made.get("name", "")), str(made.get("arguments", ""))) for made in called if isinstance(made, dict)]


def in_text(part: Any) -> Any:
    return {"type": "text", "text": part.get("refusal")} if isinstance(part, dict) and part.get("type") == "refusal" else part


class Message(Wire):
    """OpenAI's newer name for the system's role, `developer`, is understood; tools' history and refusals are read as text."""

    role: Role
    content: str | Annotated[tuple[Part, ...], Field(max_length=MAX_PARTS)]

    _in_words = model_validator(mode="before")(in_words)


class StreamOptions(Wire):
    include_usage: Annotated[bool, unless_null(False)] = False


class ResponseFormat(Wire):
    """`text`, `json_object`, or `json_schema` with the schema in a drawer of its own, as OpenAI has it."""

    type: str
    json_schema: dict[str, Any] | None = None


StopString = Annotated[str, Field(max_length=MAX_STOP_LENGTH)]


class ChatRequest(Wire):
    """A chat completion to make. `None` means the model's own default (its `gander.json`)."""

    model: Annotated[str, unless_null("")] = ""  # the model's name, or `name:adapter`
    adapter: Annotated[str, unless_null("")] = ""  # ours; the name of a LoRA adapter that the engine has beside its model
    messages: Annotated[tuple[Message, ...], Field(min_length=1, max_length=MAX_MESSAGES)]
    stream: Annotated[bool, unless_null(False)] = False
    stream_options: StreamOptions | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None  # 0 = greedy
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    top_k: Annotated[int | None, Field(ge=0)] = None  # ours; 0 = off
    num_beams: Annotated[int | None, Field(ge=1, le=MAX_BEAMS)] = None  # ours
    repetition_penalty: Annotated[float | None, Field(ge=0.1, le=10)] = None  # ours
    frequency_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None  # off a token's score for each time that it was written
    presence_penalty: Annotated[float | None, Field(ge=-2, le=2)] = None  # once, if it was written at all
    logit_bias: Annotated[dict[int, Annotated[float, Field(ge=-100, le=100)]] | None, Field(max_length=MAX_BIASED)] = None  # by token id
    length_penalty: Annotated[float | None, Field(ge=-10, le=10)] = None  # ours; beams only
    early_stopping: bool | Literal["never"] | None = None  # ours; beams only, as transformers means it
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None  # OpenAI's newer name; wins over max_tokens
    min_tokens: Annotated[int, Field(ge=0), unless_null(0)] = 0  # ours
    stop: StopString | Annotated[tuple[StopString, ...], Field(max_length=MAX_STOPS)] | None = None
    seed: Annotated[int | None, Field(ge=-(2 ** (SEED_BITS - 1)), lt=2**SEED_BITS)] = None
    n: Annotated[int, Field(ge=1, le=MAX_CHOICES), unless_null(1)] = 1
    # Of the distribution at the request's temperature (the model's own at 0), after the repetition penalty, before top_k and top_p.
    logprobs: bool | None = False  # not with beams, whose score is of the whole answer
    top_logprobs: Annotated[int | None, Field(ge=0, le=MAX_TOP_LOGPROBS)] = None  # alternatives a token; needs logprobs
    beam_tree: Annotated[bool, unless_null(False)] = False  # ours; `beams` on each choice's end; needs num_beams > 1
    prompt_cache_key: str | None = None  # accepted, and not needed here: prefixes are found by their content
    response_format: ResponseFormat | None = None  # not with beams
    tools: tuple[Any, ...] | None = None  # understood to be refused, unless there are none or none is to be called
    tool_choice: Any = None
    # Ours: where this is in the newest picture; takes the place of the last message's text, in the model's own words. See Health.finds.
    find: Annotated[str | None, Field(min_length=1, max_length=MAX_FIND_LENGTH)] = None
    continue_final_message: Annotated[bool, unless_null(False)] = False  # as vLLM's: the answer goes on with the assistant's last message


class Usage(Wire):
    prompt_tokens: int  # pictures counted as the tokens they take
    completion_tokens: int
    total_tokens: int


class Delta(Wire):
    role: Annotated[Literal["assistant"] | None, Field(exclude_if=is_none)] = None
    content: Annotated[str | None, Field(exclude_if=is_none)] = None


class Alternative(Wire):
    """A token that could stand here. `bytes` are its UTF-8, of a part of a character too; None for one that ends an answer."""

    token: str
    logprob: float  # natural logarithm
    bytes: tuple[int, ...] | None = None


class TokenLogprobs(Alternative):
    """The token that was written, and the likeliest in its place, best first; it needs not be one of them."""

    top_logprobs: tuple[Alternative, ...] = ()


class Logprobs(Wire):
    content: tuple[TokenLogprobs, ...] | None = None


class BeamNode(Wire):
    """Ours: a hypothesis that a beam search held. `score` is the sum of its log-probabilities, in natural logarithms.

    `parent` is the place in the list of the hypothesis that it continues, None for the first ones; `step` counts tokens from 1, the
    one that ends an answer included.
    """

    text: str  # whole, from the answer's beginning, no half characters; empty = it ended before its first word
    score: float
    parent: int | None
    step: int
    rank: Annotated[float | None, Field(exclude_if=is_none)] = None  # of a finished one: score / step ** length_penalty; the highest wins
    choice: Annotated[int | None, Field(exclude_if=is_none)] = None  # the `index` of the answer that it became


class NamedBox(Wire):
    """Ours: where something is in the newest picture of the request, in parts of its sides."""

    name: str  # what the model called it, in one short line; empty = it gave no name
    left: float
    top: float
    right: float
    bottom: float


class ChunkChoice(Wire):
    index: int = 0
    delta: Delta = Delta()
    logprobs: Annotated[Logprobs | None, Field(exclude_if=is_none)] = None
    finish_reason: FinishReason | None = None
    # ours; on the end of a beam search that was asked for its tree
    beams: Annotated[tuple[BeamNode, ...] | None, Field(exclude_if=is_none)] = None
    length_penalty: Annotated[float | None, Field(exclude_if=is_none)] = None  # ours; with `beams`: by which they were ranked
    boxes: Annotated[tuple[NamedBox, ...] | None, Field(exclude_if=is_none)] = (
        None  # ours; on the end of an answer that says where things are
    )
    plain: Annotated[str | None, Field(exclude_if=is_none)] = None  # ours; with `boxes`: the answer's text without coordinates
    # ours; beams: the best text so far, replaces what came before, never appends
    provisional: Annotated[str | None, Field(exclude_if=is_none)] = None


class Chunk(Wire):
    """One server-sent event of a streamed answer."""

    id: str
    object: Literal["chat.completion.chunk"] = "chat.completion.chunk"
    created: int
    model: str
    choices: tuple[ChunkChoice, ...]
    usage: Annotated[Usage | None, Field(exclude_if=is_none)] = None
    # ours; how many of the oldest text messages did not fit (last chunk)
    dropped_messages: Annotated[int | None, Field(exclude_if=is_none)] = None


class AnswerMessage(Wire):
    role: Literal["assistant"] = "assistant"
    content: str


class Choice(Wire):
    index: int = 0
    message: AnswerMessage
    logprobs: Annotated[Logprobs | None, Field(exclude_if=is_none)] = None
    finish_reason: FinishReason
    beams: Annotated[tuple[BeamNode, ...] | None, Field(exclude_if=is_none)] = None  # ours, as in ChunkChoice
    length_penalty: Annotated[float | None, Field(exclude_if=is_none)] = None  # ours, as in ChunkChoice
    boxes: Annotated[tuple[NamedBox, ...] | None, Field(exclude_if=is_none)] = None  # ours, as in ChunkChoice
    plain: Annotated[str | None, Field(exclude_if=is_none)] = None  # ours, as in ChunkChoice


class Completion(Wire):
    """A whole answer, for requests that do not stream."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: tuple[Choice, ...]
    usage: Usage
    dropped_messages: int = 0  # ours


class ModelEntry(Wire):
    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str = "gander"
    parent: Annotated[str | None, Field(exclude_if=is_none)] = None  # as vLLM's: of a LoRA adapter the model that it belongs to


class ModelList(Wire):
    object: Literal["list"] = "list"
    data: tuple[ModelEntry, ...]


class ErrorDetail(Wire):
    message: str
    type: str  # invalid_request_error, authentication_error, rate_limit_error, server_error
    param: str | None = None
    code: str | None = None


class ErrorBody(Wire):
    error: ErrorDetail


class ForgetRequest(Wire):
    """`/v1/forget`, ours: the engine is to keep nothing of these pictures, each named by the sha256 of its file, nor of any prompt."""

    pictures: tuple[Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")], ...] = Field(default=(), max_length=MAX_FORGOTTEN)


class Health(Wire):
    """`/health`. `rows` is how many requests (a beam counts as one row) the engine runs at once."""

    status: Literal["loading", "ready", "failed"]
    model: str
    device: str
    memory_bytes: int  # reserved on the device by this process; RSS on CPU
    rows: int
    seconds_left: float | None = None  # while loading
    step_seconds: float | None = None  # since the device began the step that it is at; None: it has nothing to do
    detail: str | None = None  # why it failed, or what it is doing
    context_length: int | None = None  # tokens
    defaults: dict[str, float | int] = Field(default_factory=dict)  # the model's generation defaults that are numbers
    languages: tuple[str, ...] = ()  # BCP 47; empty = no claim
    notice: str = ""  # what the model is, in one sentence that a person should read
    lacks: tuple[str, ...] = ()  # fields of ChatRequest that have no effect here; filled in by clients for other servers
    picture_detail: str = ""  # how closely pictures are looked at, by the operator's choice; empty = the model leaves none
    eye_pixels: int | None = None  # of a side, in which the model sees a picture; None = nobody knows
    finds: bool = False  # the model says where things are: ChatRequest.find has an effect, and answers may have boxes
    one_picture: bool = False  # of several pictures the model is shown the newest alone
    adapters: tuple[str, ...] = ()  # names of the LoRA adapters that a request may ask for
    explains: bool = False  # whether `POST /v1/explain` is answered
    explanation_seconds: float | None = None  # what the newest explanation took of the device; None: none was asked for yet
    fallback: str = ""  # the model's type where transformers' own `generate` answers, slower than a family of ours


class RunningEngine(Wire):
    """What an engine leaves in the data folder for other programs of the same person: see `engine/server/discovery.py`."""

    url: str
    key: str | None
    folder: str  # of the model, resolved
    pid: int


class MachineFacts(Wire):
    """What `python -m engine facts` prints: torch and its device, seen from a process that may import it."""

    torch: str  # version
    built_for: str  # "CPU" or "CUDA 12.8"
    device: str  # the first GPU's name, else the processor's
    gpus: int
    gpu_memory_bytes: int
    threads: int
