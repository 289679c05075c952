"""`/ask`: a question, with a picture or without, and with settings of its own."""

from __future__ import annotations

from dataclasses import replace

from bot.commands.command import REQUEST, Command, Context, Option, OptionKind
from bot.demo.samples import SAMPLES
from bot.errors import Refusal
from bot.message import Incoming
from bot.platform import Outgoing

PROMPT = Option("prompt", OptionKind.TEXT)
IMAGE = Option("image", OptionKind.PICTURE)
SAMPLE = Option("sample", OptionKind.TEXT, hidden=True)  # a sample picture and its question, as in its button


PICK = Option("pick", OptionKind.TEXT, hidden=True)  # which of several pictures is meant, as in its button


async def run(context: Context) -> Outgoing | None:
    if PICK.name in context.options:
        await context.actions.pick(context.incoming, str(context.options[PICK.name]))
        return None
    if SAMPLE.name in context.options:
        incoming, question = _sampled(context, str(context.options[SAMPLE.name]))
    else:
        incoming, question = context.incoming, str(context.options.get(PROMPT.name, "")).strip()
    check_something_asked(incoming, question)
    await context.actions.ask(incoming, question, context.request)
    return None


def check_something_asked(incoming: Incoming, question: str) -> None:
    """Raises Refusal where there is neither a question nor a picture."""
    reply = incoming.reply_to
    if not (question or incoming.attachments or (reply and (reply.attachments or reply.for_picture))):
        raise Refusal("ask.empty")


def _sampled(context: Context, name: str) -> tuple[Incoming, str]:
    """The event with a sample picture attached, and the sample's question. Raises Refusal for an unknown name."""
    sample, _, question = name.partition(".")
    if sample not in SAMPLES or question not in SAMPLES[sample].questions:
        raise Refusal("ask.empty")
    shown = replace(context.incoming, attachments=(SAMPLES[sample].attachment(),), reply_to=None)
    return shown, context.render(f"sample.{sample}.{question}")


COMMAND = Command("ask", run, (PROMPT, IMAGE, *REQUEST, SAMPLE, PICK))
