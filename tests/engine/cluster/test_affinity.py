"""Requests find the replica that knows their picture; what comes, goes or is overloaded moves no more than it must."""

from __future__ import annotations

from collections import Counter

from engine.api import ChatRequest, ImagePart, ImageUrl, Message, TextPart
from engine.cluster.affinity import affinity_key, preference

NAMES = [f"replica{number}" for number in range(8)]
IDLE = dict.fromkeys(NAMES, 0)


def asked(text: str, picture: str = "", conversation: str | None = None) -> ChatRequest:
    shown = (ImagePart(image_url=ImageUrl(url=f"data:image/png;base64,{picture}")),) if picture else ()
    return ChatRequest(messages=(Message(role="user", content=(*shown, TextPart(text=text))),), prompt_cache_key=conversation)


def test_a_picture_decides_before_the_conversation_and_the_words() -> None:
    assert affinity_key(asked("What?", "AAAA", "a")) == affinity_key(asked("Why?", "AAAA", "b"))
    assert affinity_key(asked("What?", "AAAA")) != affinity_key(asked("What?", "BBBB"))
    assert affinity_key(asked("What?", conversation="a")) == affinity_key(asked("Why?", conversation="a"))
    assert affinity_key(asked("What?")) != affinity_key(asked("Why?"))


def test_keys_spread_over_all_and_only_those_of_a_lost_replica_move() -> None:
    keys = [f"key{number}" for number in range(2_000)]
    first = {key: preference(key, IDLE)[0] for key in keys}
    assert all(150 < count < 350 for count in Counter(first.values()).values())
    without = {name: 0 for name in NAMES if name != "replica3"}
    assert all(preference(key, without)[0] == first[key] for key in keys if first[key] != "replica3")


def test_a_replica_with_more_than_its_share_is_passed_over() -> None:
    order = preference("a", IDLE)
    busy = IDLE | {order[0]: 10}
    assert preference("a", busy) == [*order[1:], order[0]]
    assert preference("a", dict.fromkeys(NAMES, 10)) == order
    assert preference("a", {}) == []


def test_a_picture_that_everybody_asks_about_spreads_as_far_as_it_must() -> None:
    """Forty questions about one picture at once: no replica takes more than a quarter over its share."""
    loads = dict(IDLE)
    for _ in range(40):
        loads[preference("a", loads)[0]] += 1
    assert max(loads.values()) <= 7  # 40 / 8 · 1.25, rounded up
    alone = Counter(preference("a", dict(IDLE))[0] for _ in range(40))
    assert len(alone) == 1
