"""How models mark what they think to themselves before they answer: none of it belongs into an answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence

Markers = tuple[tuple[str, str], ...]  # where reasoning begins and where it ends

KNOWN: Markers = (
    ("<think>", "</think>"),  # Qwen, GLM, Kimi and many others
    ("[THINK]", "[/THINK]"),  # Mistral
    ("<|channel>thought", "<channel|>"),  # Gemma 4
    ("◁think▷", "◁/think▷"),  # Kimi-VL
)


def markers_of(tokens: Collection[str], template: str) -> Markers:
    """Those that a model knows: a token of its own begins with one, or its chat template speaks of one."""
    return tuple((begin, end) for begin, end in KNOWN if begin in template or any(begin.startswith(token) for token in tokens if token))


def without_reasoning(text: str, markers: Markers) -> str:
    """The text without what stands between markers; without its end, where reasoning has begun and not ended."""
    for begin, end in markers:
        while (at := text.find(begin)) >= 0:
            over = text.find(end, at)
            text = text[:at] + (text[over + len(end) :] if over >= 0 else "")
    return text


def left_open(text: str, markers: Markers) -> str:
    """The marker behind which `text` ends, "" if it ends outside of reasoning."""
    return next((begin for begin, end in markers if text.rfind(begin) > text.rfind(end)), "")


def shown_specials(specials: Sequence[str], markers: Markers) -> frozenset[str]:
    """The special tokens that spell a marker, or how one begins: left out of the text, they would hide where reasoning ends."""
    return frozenset(token for token in specials if any(begin.startswith(token) or end == token for begin, end in markers))
