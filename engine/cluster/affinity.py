"""Which replica a request goes to: where its picture and its conversation are cached, unless that one has far more work than others.

Rendezvous hashing (Thaler and Ravishankar, 1998): every replica has a score for a key, and the highest wins. When a replica comes or
goes, only its own keys move, and every entrance works out the same order without talking to another. Bounded loads (Mirrokni, Thorup
and Zadimoghaddam, 2018): a replica with more than its share of what runs is passed over, so a picture that a whole hall asks about
spreads as far as it has to and no further.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from math import ceil

from engine.api import ChatRequest, ImagePart

SLACK = 1.25  # a replica may have so many times the average of what runs before its keys go to the next


def affinity_key(request: ChatRequest) -> str:
    """What decides where a request is cached: its first picture, which every question of its conversation shows; else the conversation,
    else its first words, which stand at the beginning of the prompt.
    """
    for message in request.messages:
        for part in message.content if isinstance(message.content, tuple) else ():
            if isinstance(part, ImagePart):
                return digest("picture", part.image_url.url)
    if request.prompt_cache_key:
        return digest("conversation", request.prompt_cache_key)
    return digest("words", request.messages[0].model_dump_json())


def preference(key: str, loads: Mapping[str, int], slack: float = SLACK) -> list[str]:
    """The replicas in the order in which to try them. `loads`: what runs on each, by its name."""
    if not loads:
        return []
    bound = ceil(slack * (sum(loads.values()) + 1) / len(loads))
    order = ranked(key, loads)
    return [name for name in order if loads[name] < bound] + [name for name in order if loads[name] >= bound]


def ranked(key: str, replicas: Iterable[str]) -> list[str]:
    return sorted(replicas, key=lambda name: digest(key, name), reverse=True)


def digest(kind: str, text: str) -> str:
    return hashlib.sha256(f"{kind} {text}".encode()).hexdigest()
