"""A question's trace begins where its platform's event came in."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest

from bot.store.database import sqlite_url
from engine import tracing
from tests.bot.rig import ScriptedEngine, echo, running


async def test_receipt_question_and_answer_are_one_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    kept, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(kept))
    monkeypatch.setattr(tracing._Exporting, "provider", provider)
    engine = ScriptedEngine(echo)
    engine.gate.set()
    async with running(sqlite_url(tmp_path / "gander.db"), tmp_path, engine) as rig:
        said = await rig.say("Whose words are in no span?")
        await rig.finals(1)
        await rig.core.drain()
    spans = {each.name: each for each in kept.get_finished_spans()}
    ways = [spans[name] for name in ("receive", "question", "answer")]
    assert ways[0].parent is None
    assert [inner.parent and inner.parent.span_id for inner in ways[1:]] == [outer.context.span_id for outer, _ in pairwise(ways)]
    assert dict(ways[0].attributes or {}) == {"gander.platform": "web", "gander.message": said.id}
    assert not any("Whose" in each.to_json() for each in spans.values())
