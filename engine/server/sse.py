"""Server-sent events, as the engine streams its answers."""

from __future__ import annotations

from engine.api import Wire

DONE = b"data: [DONE]\n\n"  # the last event of a stream, as OpenAI has it
HEARTBEAT = b": still working\n\n"  # a comment, which every reader of server-sent events skips


def frame(event: Wire) -> bytes:
    """One server-sent event. JSON escapes line breaks, so one `data:` line always holds it."""
    return b"data: " + event.model_dump_json().encode() + b"\n\n"
