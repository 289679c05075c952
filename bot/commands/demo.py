"""`/demo`: in this channel every posted picture is answered, and shown on a wall for the projector. For managers."""

from __future__ import annotations

from dataclasses import replace

from bot.commands.command import Command, Context, Option, OptionKind
from bot.demo.samples import SAMPLES, Sample
from bot.demo.summary import Summary
from bot.errors import Refusal
from bot.platform import Action, Outgoing
from bot.sanitize import shorten_to_line
from bot.store.demos import Demo

ACTION = Option("action", OptionKind.CHOICE, choices=("start", "stop", "wall", "export"), words="choice.demo.{choice}")
PROMPT = Option("prompt", OptionKind.TEXT)
SLOW = Option("slow", OptionKind.NUMBER, low=0, high=3600)
MEBIBYTE = 1 << 20
QUOTED = 200  # characters of an answer in the summary


async def run(context: Context) -> Outgoing | None:
    match context.options.get(ACTION.name):
        case "start":
            await _start(context)
        case "stop":
            await _stop(context)
        case "export":
            await _export(context, await context.actions.demos.newest(context.incoming))
        case "wall":
            _tell_addresses(context, await context.actions.demos.newest(context.incoming))
        case _:
            return context.reply(context.render("command.demo.help"))
    return None


async def _start(context: Context) -> None:
    prompt = str(context.options.get(PROMPT.name, "")).strip() or context.render("answer.describe")
    slow = context.number(SLOW, default=0)
    demo = await context.actions.demos.start(context.incoming, prompt, slow, context.language)
    # The presenter's message first: Discord takes the first message as the reply to the command.
    _tell_addresses(context, demo, *await context.actions.diagnose(context.incoming))
    welcome = [context.render("demo.welcome", prompt=demo.prompt)]
    if demo.slow_seconds:
        welcome.append(context.render("demo.slow_mode", seconds=demo.slow_seconds))
    context.actions.announce(context.incoming, Outgoing("\n".join([*welcome, context.render("demo.warm_up")])))
    for sample in SAMPLES.values():
        context.actions.announce(context.incoming, _sample(context, sample))


def _tell_addresses(context: Context, demo: Demo, *findings: str) -> None:
    wall = context.actions.demos.wall(demo)
    lines = [context.render("demo.addresses", wall=wall, own=f"{wall}#{demo.key}") if wall else context.render("demo.no_page")]
    _tell_presenter(context, context.reply("\n".join([*lines, *map(context.render, findings)])))


def _tell_presenter(context: Context, message: Outgoing) -> None:
    """Tell the presenter privately. Where that goes to a chat of their own, say so here: that message may be refused."""
    if context.actions.tell_privately(context.incoming, message):
        context.actions.announce(context.incoming, Outgoing(context.render("demo.confided")))


def _sample(context: Context, sample: Sample) -> Outgoing:
    questions = tuple(
        Action(context.render(f"sample.{sample.name}.{question}"), f"/ask sample:{sample.name}.{question}") for question in sample.questions
    )
    title, alt = (context.render(f"sample.{sample.name}.{part}") for part in ("title", "alt"))
    return Outgoing(title, actions=questions, files=(sample.file,), alt=alt)


async def _stop(context: Context) -> None:
    demo = await context.actions.demos.stop(context.incoming)
    try:
        await _export(context, demo)
    except Refusal as refusal:  # the channel is told of the end all the same
        _tell_presenter(context, context.reply(context.render(refusal.key)))
    lines = [
        context.render("demo.over"),
        *_figures(context, await context.actions.demos.summarize(demo)),
        context.render("demo.how_to_export"),
    ]
    context.actions.announce(context.incoming, Outgoing("\n".join(lines)))


def _figures(context: Context, summary: Summary) -> list[str]:
    lines = [context.render("demo.counts", pictures=summary.pictures, questions=summary.questions, answers=summary.answers)]
    if summary.fastest is not None:
        lines.append(context.render("demo.fastest", seconds=summary.fastest.seconds or 0, answer=_quoted(summary.fastest.shown.text)))
    if summary.most_liked is not None:
        votes = summary.most_liked.votes.total()
        lines.append(context.render("demo.most_liked", count=votes, answer=_quoted(summary.most_liked.shown.text)))
    return lines


def _quoted(text: str) -> str:
    return shorten_to_line(text.replace("**", ""), QUOTED)


async def _export(context: Context, demo: Demo) -> None:
    files = await context.actions.demos.export(demo)
    size, limit = sum(file.stat().st_size for file in files), context.actions.file_bytes(context.incoming)
    if limit is None or size < limit:
        _tell_presenter(context, replace(context.reply(context.render("demo.exported")), files=files))
        return
    wall = context.actions.demos.wall(demo)
    ways = [f"{wall}/export/{demo.key}/{file.name}" for file in files] if wall else [file.name for file in files]
    key = "demo.too_large" if wall else "demo.kept"
    _tell_presenter(context, context.reply("\n".join([context.render(key, size=size / MEBIBYTE), *ways])))


COMMAND = Command("demo", run, (ACTION, PROMPT, SLOW), for_managers=True)
