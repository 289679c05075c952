"""The cluster's entrance without Ray, spoken to as a server of ASGI speaks to it. Starlette comes with Ray: `make cluster` runs this."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import pytest

from engine.api import ChatRequest, Health
from engine.cluster.resume import Batch, ReplicaLost
from engine.request import ChoiceFinished, Done, TextDelta

pytest.importorskip("starlette", reason="the extra `cluster` is not installed here: `make cluster` runs this in Ray's environment")

from prometheus_client.parser import text_string_to_metric_families

from engine.cluster import bodies
from engine.cluster.entrance import Entrance

READY = Health(status="ready", model="letters", device="cpu", memory_bytes=1, rows=4)
PART = bytes(1 << 16)
HELLO = json.dumps({"messages": [{"role": "user", "content": "Hello"}]}).encode()


@dataclass
class Scripted:
    """Each life is what one replica sends before it is gone; the last one ends the answer."""

    lives: list[Sequence[Batch]] = field(default_factory=list)
    told: list[tuple[str, ...]] = field(default_factory=list)

    async def ask(self, request: ChatRequest, key: str) -> AsyncGenerator[Batch]:
        for batch in self.lives.pop(0):
            yield batch
        raise ReplicaLost("gone")

    async def look(self, bot: str, waiting: int) -> Sequence[Health]:
        return (READY, READY.model_copy(update={"status": "loading"}))

    async def forget(self, pictures: Sequence[str]) -> None:
        self.told.append(tuple(pictures))


@dataclass
class Sender:
    """Sends a body in parts, as a client does that the server reads from; afterwards it stays and waits."""

    parts: Any
    ends: bool = True
    sent: int = 0  # bytes that the application took
    answered: list[dict[str, Any]] = field(default_factory=list)

    async def receive(self) -> dict[str, Any]:
        part = next(self.parts, None)
        if part is not None:
            self.sent += len(part)
            return {"type": "http.request", "body": part, "more_body": True}
        if self.ends:
            self.ends = False
            return {"type": "http.request", "body": b"", "more_body": False}
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    async def send(self, message: dict[str, Any]) -> None:
        self.answered.append(message)

    @property
    def status(self) -> int:
        return int(self.answered[0]["status"])

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.answered[1:])


async def asked(entrance: Entrance, method: str, path: str, sender: Sender, **headers: str) -> Sender:
    """As uvicorn calls it, with names of headers in small letters and `_` for `-`."""
    told = {"host": "localhost", "content_type": "application/json", **headers}
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in told.items()],
    }
    await entrance.application()(scope, sender.receive, sender.send)
    return sender


def every_route(entrance: Entrance) -> list[tuple[str, str]]:
    """Method and address of each, by the application's own table: a new one can't be forgotten."""
    routes = entrance.application().routes
    return [(method, route.path.replace("{name:path}", "letters")) for route in routes for method in sorted(route.methods - {"HEAD"})]


async def test_no_route_takes_a_body_over_its_length_nor_one_that_grows_or_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.01)
    monkeypatch.setattr("engine.cluster.entrance.QUESTION_BYTES", 2 << 20)
    entrance = Entrance("letters", Scripted())
    routes = every_route(entrance)
    assert len(routes) >= 9
    for method, path in routes:
        endless = await asked(entrance, method, path, Sender(repeat(PART)))
        assert endless.status == 413, path
        assert endless.sent <= (2 << 20) + len(PART), path  # nothing is read beyond the limit
        declared = await asked(entrance, method, path, Sender(repeat(PART)), content_length=str((2 << 20) + 1))
        assert (declared.status, declared.sent) == (413, 0), path
        for coding, packed in (("gzip", gzip.compress(HELLO)), ("deflate", zlib.compress(HELLO))):
            grows = await asked(entrance, method, path, Sender(iter([packed])), content_encoding=coding)
            assert (grows.status, grows.sent) == (415, 0), path
        slow = await asked(entrance, method, path, Sender(iter([b"{"]), ends=False))
        assert slow.status == 408, path


async def test_what_the_entrance_counts() -> None:
    words, end = (TextDelta(0, "One"), TextDelta(0, " goose")), (ChoiceFinished(0, "stop"), Done(7, 2, 0))
    entrance = Entrance("letters", Scripted([[words], [end], [], [(*words, *end)]]))
    for _ in range(2):
        answered = await asked(entrance, "POST", "/v1/chat/completions", Sender(iter([HELLO])))
        assert json.loads(answered.body)["choices"][0]["message"]["content"] == "One goose"
    refused = await asked(entrance, "POST", "/v1/chat/completions", Sender(iter([b"{}"])))
    assert refused.status == 400
    page = await asked(entrance, "GET", "/metrics", Sender(iter(())))
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(page.body.decode())
        for sample in family.samples
    }
    assert found["gander_cluster_requests_total", "answered"] == 2
    assert found["gander_cluster_requests_running",] == 0
    assert found["gander_cluster_replicas_lost_total",] == 2
    assert found["gander_cluster_first_text_seconds_count",] == 2
    assert [found["gander_cluster_replicas", status] for status in ("ready", "loading", "failed")] == [1, 1, 0]
    assert found["gander_cluster_rows",] == 4


async def test_who_has_no_key_sees_no_figures() -> None:
    entrance = Entrance("letters", Scripted(), key="honk")
    assert (await asked(entrance, "GET", "/metrics", Sender(iter(())))).status == 401
    assert (await asked(entrance, "GET", "/metrics", Sender(iter(())), authorization="Bearer honk")).status == 200
