"""Turns a conversation into what a model of a hub reads, by the Jinja template of its own repository."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain
from typing import Any

from jinja2.exceptions import TemplateError

from engine.errors import ModelError, RequestError
from engine.images.decode import Picture
from engine.models.card import ChatTemplate
from engine.prompts.renderer import Segment, check, merge, neutralise, pictures_first
from engine.prompts.turn import Turn

ANSWER_AT_ONCE = {"enable_thinking": False, "thinking": False}  # what templates call it, where a model may think before it answers
PROBES = ("\ue000", "\ue001", "\ue002")  # contents that no template writes


class ChatRenderer:
    """One repository's template at work. `specials` are the tokenizer's own markers; see `Renderer` for its counterpart."""

    def __init__(self, template: ChatTemplate, specials: Sequence[str], words: Callable[[Picture], str]) -> None:
        self.template = template
        self.markers = tuple(sorted({template.placeholder, *specials, *headers(template, tuple(specials))}, key=len, reverse=True))

    def render(self, turns: Sequence[Turn], continues: bool = False) -> list[Segment]:
        """The whole prompt, as `Renderer.render` gives it. The tokenizer's first token is not in it.

        Raises RequestError for a picture that isn't a user's, and for a conversation that the template refuses.
        """
        check(turns)
        continues = continues and bool(turns) and turns[-1].role == "assistant"
        return self.filled(joined_systems(turns), continues=continues, answer=not continues)

    def without_system(self, turns: Sequence[Turn]) -> Sequence[Turn]:
        """The turns of users and the assistant."""
        return [turn for turn in turns if turn.role != "system"]

    def frame(self, turns: Sequence[Turn]) -> list[Segment]:
        """What stands before the first turn and after the last."""
        return self.filled([*(turn for turn in joined_systems(turns) if turn.role == "system"), Turn("user", ("",))], answer=True)

    def turn(self, turn: Turn) -> list[Segment]:
        """About what a turn adds: never less, for a template may write its own system message before the first."""
        if turn.role == "user":
            return self.filled([turn])
        return self.filled([Turn("user", ("",)), turn])

    def filled(self, turns: Sequence[Turn], *, continues: bool = False, answer: bool = False) -> list[Segment]:
        """The rendered text with each picture in its placeholder's place."""
        parts = [pictures_first(turn.parts) for turn in turns]
        messages = [{"role": turn.role, "content": list(map(self.content, shown))} for turn, shown in zip(turns, parts, strict=True)]
        try:
            text = rendered(self.template, messages, continues=continues, answer=answer)
        except (TemplateError, TypeError, ValueError) as error:
            raise RequestError(f"This model's chat template refuses the conversation: {error}", "messages") from None
        pictures = [part for part in chain(*parts) if isinstance(part, Picture)]
        texts = text.split(self.template.placeholder)
        if len(texts) != len(pictures) + 1:
            raise RequestError(f"This model's chat template shows {len(texts) - 1} of {len(pictures)} pictures.", "messages")
        segments: list[Segment] = [texts[0]]
        for picture, following in zip(pictures, texts[1:], strict=True):
            segments += [picture, following]
        return merge(segments)

    def content(self, part: Segment) -> dict[str, str]:
        return {"type": "text", "text": neutralise(part, self.markers)} if isinstance(part, str) else {"type": "image"}


def rendered(template: ChatTemplate, messages: Sequence[dict[str, Any]], *, continues: bool = False, answer: bool = False) -> str:
    """As transformers renders it, without the token that its tokenizer begins a text with."""
    from transformers.utils.chat_template_utils import render_jinja_template  # costs a second that an engine without a template saves

    tokens: dict[str, Any] = {**dict(template.tokens), **ANSWER_AT_ONCE}
    made: Any = render_jinja_template(  # texts, and where answers stand in them
        [list(messages)], chat_template=template.jinja, continue_final_message=continues, add_generation_prompt=answer, **tokens
    )
    text: str = made[0][0]
    return text.removeprefix(tokens.get("bos_token", ""))


def joined_systems(turns: Sequence[Turn]) -> list[Turn]:
    """All system messages as one, first."""
    texts = tuple(part for turn in turns if turn.role == "system" for part in turn.parts if isinstance(part, str))
    rest = [turn for turn in turns if turn.role != "system"]
    return [Turn("system", ("\n\n".join(texts),)), *rest] if texts else rest


@lru_cache(maxsize=8)
def headers(template: ChatTemplate, specials: tuple[str, ...]) -> frozenset[str]:
    """What the template writes between contents besides special tokens, such as `ASSISTANT:`: a message that spells it could forge a turn.

    Raises ModelError for a template that does not tell a conversation of three turns.
    """
    messages = [
        {"role": role, "content": [{"type": "text", "text": probe}]}
        for role, probe in zip(("user", "assistant", "user"), PROBES, strict=True)
    ]
    try:
        text = rendered(template, messages, answer=True)
    except (TemplateError, TypeError, ValueError) as error:
        raise ModelError(f"The model's chat template can't be rendered: {error}") from None
    if not all(probe in text for probe in PROBES):
        raise ModelError("The model's chat template leaves out what is said: this repository was not made for chats.")
    tokens = "|".join(map(re.escape, sorted(specials, key=len, reverse=True))) or "(?!)"
    between = re.split("|".join(PROBES), text)[1:]
    return frozenset(piece.strip() for part in between for piece in re.split(tokens, part) if len(piece.strip()) > 1)
