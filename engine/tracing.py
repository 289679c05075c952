"""Spans for OpenTelemetry: of a question in the bot, its answer, and the engine's part, as one trace.

They need the extra `otel` and an endpoint in OTEL_EXPORTER_OTLP_ENDPOINT; without them nothing is imported and nothing happens. The
other variables that OpenTelemetry defines for its exporter, sampler and resource hold, too. No span has a text of anybody's.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

log = structlog.get_logger(__name__)


class _Exporting:
    provider: TracerProvider | None = None  # None: spans are not wanted


@contextmanager
def exporting(service: str) -> Iterator[None]:
    """Spans of this block are sent where the environment says, as those of `service`; the last ones at its end."""
    _Exporting.provider = _provider(service) if any(os.environ.get(name) for name in ENDPOINTS) else None
    try:
        yield
    finally:
        provider, _Exporting.provider = _Exporting.provider, None
        if provider is not None:
            provider.shutdown()


def _provider(service: str) -> TracerProvider | None:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ModuleNotFoundError:
        log.warning("no_spans", reason=f"{ENDPOINTS[0]} is set, and the extra otel is missing", remedy="pip install '.[otel]'")
        return None
    provider = TracerProvider(resource=Resource.create({"service.name": service}), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider


@contextmanager
def span(name: str, caller: Mapping[str, str] | None = None, *, begun: float | None = None, **attributes: str | int) -> Iterator[None]:
    """A span around this block, within the one around it, or within the one that a request's headers name (`caller`).

    `begun`: when it began, in Unix seconds, where that was earlier. Attributes get the prefix `gander.`.
    """
    provider = _Exporting.provider
    if provider is None:
        yield
        return
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    within = TraceContextTextMapPropagator().extract(caller) if caller is not None else None
    start = None if begun is None else int(begun * 1e9)
    named = {f"gander.{key}": value for key, value in attributes.items()}
    tracer = provider.get_tracer("gander")
    with tracer.start_as_current_span(
        name, within, attributes=named, start_time=start, record_exception=False, set_status_on_exception=False
    ) as shown:  # what is raised may hold what somebody wrote
        try:
            yield
        finally:
            if kind := sys.exc_info()[0]:
                shown.set_attribute("error.type", kind.__name__)


def headers() -> dict[str, str]:
    """Of a request that belongs to the present span (W3C's traceparent); none outside of spans."""
    carrier: dict[str, str] = {}
    if _Exporting.provider is not None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        TraceContextTextMapPropagator().inject(carrier)
    return carrier
