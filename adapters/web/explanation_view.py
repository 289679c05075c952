"""How an answer came about, as JSON for the page: probabilities instead of logarithms."""

from __future__ import annotations

from math import exp
from typing import Any

from bot.answers.explanations import Explanation
from engine.api import Alternative, BeamNode, TokenLogprobs


def explanation_view(explanation: Explanation) -> dict[str, Any]:
    return {
        "temperature": explanation.temperature,
        "stopped": explanation.stopped,
        "tokens": [_token(token) for token in explanation.choices],
        "beams": [_beam(node) for node in explanation.beams],
        "length_penalty": explanation.length_penalty,
    }


def _token(token: TokenLogprobs) -> dict[str, Any]:
    """The word with its alternatives, likeliest first; the word itself is among them, even where it was unlikely."""
    others = [each for each in token.top_logprobs if each.token != token.token]
    found = sorted([Alternative(token=token.token, logprob=token.logprob), *others], key=lambda each: -each.logprob)
    return {"token": token.token, "top": [{"token": each.token, "p": exp(each.logprob)} for each in found]}


def _beam(node: BeamNode) -> dict[str, Any]:
    """`rank`: of a finished one; `chosen`: the engine's word that it became the answer."""
    return {**node.model_dump(include={"text", "score", "parent", "step", "rank"}), "chosen": node.choice == 0}
