"""Asks a server whatever its own OpenAPI document allows, and what it doesn't; schemathesis draws the requests and judges the answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import httpx
import hypothesis
import schemathesis
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance, status_code_conformance

CHECKS: Final = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
SECONDS: Final = 60.0  # for an answer: a server that hangs fails the test
ENDLESS: Final = "text/event-stream"  # whatever answers with nothing else is a stream without an end


def fuzz(url: str, examples: int, headers: Mapping[str, str], known: Mapping[str, str]) -> Sequence[str]:
    """Ask every operation `examples` times as it is described and as often otherwise; which were asked.

    `known`: pieces of paths that lead somewhere. Blocks: call it in a thread. Raises what schemathesis finds.
    """

    def ask(case: Any) -> None:
        case.call_and_validate(base_url=url, headers=dict(headers), checks=CHECKS, timeout=SECONDS, allow_redirects=False)

    told = httpx.get(f"{url}/openapi.json", headers=dict(headers), timeout=SECONDS)
    assert told.status_code == 200
    asked = []
    for found in schemathesis.openapi.from_dict(told.json()).get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # or the document is wrong
        if not endless(operation.definition.raw):
            asked.append(operation.label)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                fuzz_operation(operation, mode, examples, ask, known)
    return asked


def endless(described: Mapping[str, Any]) -> bool:
    return any(list(answer.get("content", ())) == [ENDLESS] for answer in described["responses"].values())


def fuzz_operation(operation: Any, mode: GenerationMode, examples: int, ask: Callable[[Any], object], known: Mapping[str, str]) -> None:
    in_path = {each.name: known[each.name] for each in operation.path_parameters if each.name in known}
    settings = hypothesis.settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck))

    @settings
    @hypothesis.given(case=operation.as_strategy(generation_mode=mode, path_parameters=in_path or None))
    def try_one(case: Any) -> None:
        ask(case)

    with suppress(hypothesis.errors.Unsatisfiable):  # an operation that takes nothing can't be asked otherwise
        try_one()
