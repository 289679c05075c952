"""Spans of a whole way: a question's in the bot, its answer's, and the engine's behind HTTP, at a collector over OTLP."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from bot.engines.client import EngineClient
from bot.errors import AnswerLost
from engine.api import ChatRequest, Message
from engine.server.middleware import with_request_id
from engine.tracing import exporting, headers, span
from tests.bot.other_servers import listening

SECRET = "what is my goose called?"


async def test_a_question_is_one_trace_through_bot_and_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[bytes] = []

    async def collect(request: web.Request) -> web.Response:
        sent.append(await request.read())
        return web.Response(content_type="application/x-protobuf")

    async def fail(_: web.Request) -> web.Response:
        raise ValueError(SECRET)

    collector, engine = web.Application(), web.Application(middlewares=[with_request_id])
    collector.add_routes([web.post("/v1/traces", collect)])
    engine.add_routes([web.post("/v1/chat/completions", fail)])
    async with listening(collector) as collecting, listening(engine) as url, aiohttp.ClientSession() as session:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collecting)
        sending = exporting("gander-test")
        sending.__enter__()
        request = ChatRequest(messages=(Message(role="user", content=SECRET),))
        with span("question", begun=1_000.0, job="job-7"), span("answer"), pytest.raises(AnswerLost):
            await anext(EngineClient(session, url).stream(request, "job-7"))
        await asyncio.to_thread(sending.__exit__, None, None, None)  # it sends what is left, to this loop's collector
    found = {each.name: each for body in sent for each in spans(body)}
    ways = [found[name] for name in ("question", "answer", "POST /v1/chat/completions")]
    assert all(inner.parent_span_id == outer.span_id and inner.trace_id == outer.trace_id for outer, inner in pairwise(ways))
    assert ways[0].start_time_unix_nano == 1_000_000_000_000
    assert {("gander.request", "job-7"), ("error.type", "ValueError")} <= {
        (each.key, each.value.string_value) for each in ways[2].attributes
    }
    assert not any(SECRET.encode() in body for body in sent)


def spans(body: bytes) -> list[Span]:
    told = ExportTraceServiceRequest.FromString(body)
    return [each for resource in told.resource_spans for scope in resource.scope_spans for each in scope.spans]


def test_without_an_endpoint_nothing_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with exporting("gander-test"), span("question", job="job-7"):
        assert headers() == {}
