"""What the page's header and its settings show: the engine's state in one word, the values in effect, and what can't be set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from adapters.web.platform import author_of, place_of
from bot.answers.explanations import Explanation
from bot.engines.engine import EngineState
from bot.message import Author, Invocation, Place, Value
from bot.resolve_answer_settings import ResolvedSettings
from bot.store.conversations import Listed

WIRE_NAMES = {"temperature": "temperature", "beams": "num_beams"}
FALLBACKS: Mapping[str, float] = {"temperature": 1.0, "beams": 1}
HIGHEST: Mapping[str, float] = {"temperature": 2.0, "beams": 10}


class Surroundings(Protocol):
    """What the page needs to know beside the conversation."""

    @property
    def caps(self) -> Mapping[str, float]: ...

    def parse(self, text: str) -> Invocation | None:
        """The command that was typed; None for anything else."""
        ...

    def explanation(self, place: Place, answer: int) -> Explanation | None:
        """How an answer came about; None: that is not kept any more."""
        ...

    def explainable(self, answer: int) -> bool:
        """Whether its engine can be asked how it came about."""
        ...

    async def conversations(self, place: Place, count: int) -> Sequence[Listed]:
        """The newest of a person's."""
        ...

    async def engines(self) -> tuple[EngineState, ...]: ...

    async def resolve(self, place: Place, author: Author, request: Mapping[str, Value], locale: str | None) -> ResolvedSettings: ...


def best(engines: tuple[EngineState, ...]) -> EngineState | None:
    """The engine that answers soonest: a ready one, else one that loads, else one that says why it failed."""
    order = ("ready", "loading", "failed")
    answering = [engine for engine in engines if engine.health]
    return min(answering, key=lambda engine: order.index(engine.health.status) if engine.health else len(order), default=None)


def engine_view(engines: tuple[EngineState, ...]) -> dict[str, Any]:
    engine = best(engines)
    if engine is None or engine.health is None:
        fault = next((engine.fault for engine in engines if engine.fault), None)
        return {"state": f"fault-{fault}" if fault else "away", "model": "", "notice": ""}
    health = engine.health
    about = {"state": health.status, "model": health.model, "notice": health.notice}
    return {**about, "detail": health.detail, "seconds_left": health.seconds_left}


async def settings_view(surroundings: Surroundings, person: str, locale: str | None) -> dict[str, Any]:
    """The values in effect without the page's own, the operator's caps, and the settings that no engine here supports."""
    resolved = await surroundings.resolve(place_of(person), author_of(person), {}, locale)
    engine = best(await surroundings.engines())
    model: Mapping[str, float] = engine.health.defaults if engine and engine.health else {}
    chosen = {"temperature": resolved.settings.temperature, "beams": resolved.settings.beams}
    values = {name: chosen[name] if chosen[name] is not None else model.get(wire, FALLBACKS[name]) for name, wire in WIRE_NAMES.items()}
    caps = {name: min(surroundings.caps.get(name, highest), highest) for name, highest in HIGHEST.items()}
    lacks = engine.health.lacks if engine and engine.health else ()
    return {"defaults": values, "caps": caps, "missing": [name for name, wire in WIRE_NAMES.items() if wire in lacks]}
