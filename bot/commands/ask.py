"""`/ask`: a question, with a picture or without, and with settings of its own."""

from __future__ import annotations

from bot.commands.command import REQUEST, Command, Context, Option, OptionKind
from bot.errors import Refusal
from bot.ports import Outgoing

PROMPT = Option("prompt", OptionKind.TEXT)
IMAGE = Option("image", OptionKind.PICTURE)


async def run(context: Context) -> Outgoing | None:
    question = str(context.options.get(PROMPT.name, "")).strip()
    incoming = context.incoming
    if not (question or incoming.attachments or (incoming.reply_to and incoming.reply_to.attachments)):
        raise Refusal("ask.empty")
    await context.actions.ask(incoming, question, context.request)
    return None


COMMAND = Command("ask", run, (PROMPT, IMAGE, *REQUEST))
