"""Reads a chat completion from its JSON and checks it: pure functions that know no HTTP."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from engine.api import ChatRequest, ForgetRequest
from engine.boxes import PLACES
from engine.errors import RequestError, UnknownModelError
from engine.explanation import ExplainRequest
from engine.images.decode import Limits, Picture, decode_picture
from engine.models.card import Card, Generation
from engine.prompts.turn import Turn
from engine.request import AnswerToExplain, Request
from engine.server.messages import Decode, PictureReader, read_turns
from engine.server.response_schema import schema_of

ECHOED = 200  # characters of what a client sent that an error may repeat
COLDEST = 1e-3  # a temperature below it is greedy all but in name, and divides by so little that fp32 overflows


def parse_request(body: bytes) -> ChatRequest:
    """JSON → a valid request. Raises RequestError that names the field as a path: `messages[0].content[1].image_url.url`."""
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        raise request_error(error, body) from None


def parse_explain(body: bytes) -> ExplainRequest:
    """As `parse_request`. Explanations come whole, and of one answer."""
    try:
        request = ExplainRequest.model_validate_json(body)
    except ValidationError as error:
        raise request_error(error, body) from None
    return request.model_copy(update={"stream": False, "n": 1})


def parse_forget(body: bytes) -> ForgetRequest:
    """As `parse_request`."""
    try:
        return ForgetRequest.model_validate_json(body)
    except ValidationError as error:
        raise request_error(error, body) from None


def read_object(body: bytes) -> dict[str, Any]:
    """JSON → an object, whatever is in it. Raises RequestError."""
    try:
        found = from_json(body)
    except ValueError as error:
        raise RequestError(f"The body is not valid JSON: {error}.") from None
    if not isinstance(found, dict):
        raise RequestError("The body must be a JSON object.")
    return found


def request_error(error: ValidationError, body: bytes) -> RequestError:
    details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid":
        return RequestError(f"The body is not valid JSON: {details[0]['msg'].removeprefix('Invalid JSON: ')}.")
    # A union reports every branch; the deepest one is where the caller's intent went wrong, or the one that was only too long.
    deepest = max(details, key=lambda detail: (len(detail["loc"]), detail["type"] == "too_long"))
    path = clipped(field_path(deepest["loc"], from_json(body)))
    message = (
        clipped(deepest["msg"]).replace("Tuple should", "The list should").replace(" after validation", "")
    )  # Python's word, and pydantic's
    return RequestError(f"{message}{f' ({path})' if path else ''}.", path or None)


def clipped(text: str) -> str:
    """The text up to ECHOED characters."""
    return text if len(text) <= ECHOED else text[:ECHOED] + "…"


def quoted(text: str) -> str:
    return repr(clipped(text))


def field_path(location: Sequence[int | str], value: Any) -> str:
    """Pydantic's error location → the path in the JSON `value`, such as `messages[0].content`, without the names of union members."""
    path = ""
    for depth, step in enumerate(location):
        last = depth == len(location) - 1
        if isinstance(step, int) and isinstance(value, list) and step < len(value):
            path, value = f"{path}[{step}]", value[step]
        elif isinstance(step, str) and isinstance(value, dict) and (step in value or last):
            path, value = f"{path}.{step}" if path else step, value.get(step)
    return path


def engine_request(
    request: ChatRequest, card: Card, limits: Limits, decode: Decode = decode_picture, adapters: Sequence[str] = ()
) -> Request:
    """A valid request → the engine's own: pictures decoded and checked, gaps filled from the model's card.

    `adapters` are the names of those that the engine has. Takes CPU for the pictures: call it off the event loop. Raises RequestError
    with the field named.
    """
    adapter = chosen_adapter(request, card.name, adapters)
    refuse_what_is_not_offered(request)
    generation = with_defaults(request, card.generation)
    turns = tuple(read_turns(request.messages, PictureReader(limits, decode)))
    return Request(
        turns=asked_to_find(turns, request.find, card) if request.find else turns,
        find=request.find or "",
        generation=generation,
        min_tokens=checked_min_tokens(request, generation),
        stop=checked_stop(request),
        seed=request.seed,
        n=request.n,
        logprobs=checked_logprobs(request, generation),
        beam_tree=checked_beam_tree(request, generation),
        logit_bias=tuple((request.logit_bias or {}).items()),
        continues=checked_continuation(request),
        schema=checked_schema(request, generation),
        adapter=adapter,
        explains=answer_to_explain(request),
    )


def served_as(model: str, adapter: str) -> str:
    """The name under which an adapter is served beside its model; that of the model alone for none."""
    return f"{model}:{adapter}" if adapter else model


def chosen_adapter(request: ChatRequest, model: str, adapters: Sequence[str]) -> str:
    """By the field `adapter`, or by the model's name. Raises RequestError where they differ, UnknownModelError for what isn't served."""
    names = {served_as(model, adapter): adapter for adapter in ("", *adapters)}
    if request.model and request.model not in names:
        raise UnknownModelError(f"This engine serves {listed(names)}, not {quoted(request.model)}.", "model")
    named = names.get(request.model, "")
    if request.adapter and request.adapter not in adapters:
        there = f"has {listed(adapters)}" if adapters else "was started without any (`--adapter NAME=FOLDER`)"
        raise RequestError(f"There is no adapter {quoted(request.adapter)}: this engine {there}.", "adapter")
    if request.adapter and named and request.adapter != named:
        raise RequestError(f"The model's name asks for the adapter {named!r}, the field for {request.adapter!r}.", "adapter")
    return request.adapter or named


def listed(names: Iterable[str]) -> str:
    return ", ".join(map(repr, names))


def answer_to_explain(request: ChatRequest) -> AnswerToExplain | None:
    """None: a new answer is wanted."""
    if not isinstance(request, ExplainRequest):
        return None
    return AnswerToExplain(request.answer, request.answer_token_ids, request.rivals, request.layer)


def asked_to_find(turns: tuple[Turn, ...], what: str, card: Card) -> tuple[Turn, ...]:
    """The last turn asks where something is, in the model's own words. Raises RequestError where it doesn't say such things."""
    if card.architecture not in PLACES:
        raise RequestError(f"{card.name} doesn't say where things are in a picture: leave `find` out.", "find")
    if turns[-1].role != "user":
        raise RequestError("`find` asks in the last message, which has to be a user's.", "find")
    shown = tuple(part for part in turns[-1].parts if isinstance(part, Picture))
    question = PLACES[card.architecture].question.replace("{what}", " ".join(what.replace('"', "'").split()))
    return (*turns[:-1], Turn("user", (*shown, question)))


def refuse_what_is_not_offered(request: ChatRequest) -> None:
    """Raises RequestError for fields that this engine can't honour and that the answer depends on."""
    if request.tools and request.tool_choice != "none":
        raise RequestError('This engine calls no tools: leave them out, or send `"tool_choice": "none"`.', "tools")


def with_defaults(request: ChatRequest, defaults: Generation) -> Generation:
    asked = {name: getattr(request, name) for name in Generation.model_fields}
    asked["max_tokens"] = request.max_completion_tokens or request.max_tokens
    if request.temperature is not None and request.temperature < COLDEST:
        asked["temperature"] = 0.0
    return defaults.model_copy(update={name: value for name, value in asked.items() if value is not None})


def checked_min_tokens(request: ChatRequest, generation: Generation) -> int:
    if request.min_tokens > generation.max_tokens:
        raise RequestError(f"min_tokens {request.min_tokens} exceeds max_tokens {generation.max_tokens}.", "min_tokens")
    return request.min_tokens


def checked_continuation(request: ChatRequest) -> bool:
    if request.continue_final_message and request.messages[-1].role != "assistant":
        raise RequestError(
            "continue_final_message goes on with the assistant's words: its message must be the last.", "continue_final_message"
        )
    return request.continue_final_message


def checked_schema(request: ChatRequest, generation: Generation) -> str | None:
    """The JSON schema that the answer keeps to."""
    wanted = request.response_format
    schema = None if wanted is None else schema_of(wanted.type, wanted.json_schema)
    if schema is not None and generation.num_beams > 1:
        raise RequestError("JSON is written without beams: set num_beams to 1.", "response_format")
    return schema


def checked_stop(request: ChatRequest) -> tuple[str, ...]:
    stop = (request.stop,) if isinstance(request.stop, str) else request.stop or ()
    if "" in stop:
        raise RequestError("An empty stop string would end every answer before it begins.", "stop")
    return stop


def checked_logprobs(request: ChatRequest, generation: Generation) -> int | None:
    """How many alternatives a token; None = no log-probabilities."""
    if request.top_logprobs is not None and not request.logprobs:
        raise RequestError("top_logprobs needs logprobs: true.", "top_logprobs")
    if not request.logprobs:
        return None
    if generation.num_beams > 1:
        raise RequestError("logprobs are told of answers without beams: set num_beams to 1, or ask for beam_tree instead.", "logprobs")
    return request.top_logprobs or 0


def checked_beam_tree(request: ChatRequest, generation: Generation) -> bool:
    if request.beam_tree and generation.num_beams == 1:
        raise RequestError("beam_tree needs num_beams of 2 or more.", "beam_tree")
    return request.beam_tree
