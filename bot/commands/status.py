"""`/status`: which model answers, on what, and whether it is ready."""

from __future__ import annotations

from bot.answers.generate import FAULT_TEXTS
from bot.commands.command import Command, Context
from bot.engines.engine import EngineState
from bot.platform import Outgoing

GIB = 1 << 30


async def run(context: Context) -> Outgoing:
    engines = await context.actions.engines()
    if not engines:
        return context.reply(context.render("status.none"))
    return context.reply("\n".join(_line(context, number, engine) for number, engine in enumerate(engines, 1)))


def _line(context: Context, number: int, engine: EngineState) -> str:
    # An engine's address is the operator's business: people see its number.
    if (health := engine.health) is None:
        reason = f" {context.render(FAULT_TEXTS[engine.fault])}" if engine.fault and engine.fault in FAULT_TEXTS else ""
        return context.render("status.silent", number=number) + reason
    if health.status == "loading":
        return _loading(context, number, health.seconds_left)
    if health.status == "failed":
        return context.render("status.failed", number=number, model=health.model)
    memory = health.memory_bytes / GIB
    line = context.render("status.ready", number=number, model=health.model, device=health.device, memory=memory, running=engine.running)
    fallback = context.render("status.fallback", type=health.fallback) if health.fallback else ""
    return "\n".join(filter(None, (line, fallback, health.notice)))


def _loading(context: Context, number: int, seconds: float | None) -> str:
    if seconds is None:
        return context.render("status.loading", number=number)
    return context.render("status.loading_for", number=number, seconds=seconds)


COMMAND = Command("status", run)
