"""`/queue`: how many wait, and when it is this person's turn."""

from __future__ import annotations

from bot.commands.command import Command, Context
from bot.contracts import InLine
from bot.ports import Outgoing


async def run(context: Context) -> Outgoing:
    queue = await context.actions.queue(context.incoming)
    if not (queue.waiting or queue.running):
        return context.reply(context.say("queue.empty"))
    lines = [context.say("queue.counts", waiting=queue.waiting, running=queue.running)]
    if queue.tokens_per_second is not None:
        lines.append(context.say("queue.speed", speed=queue.tokens_per_second))
    return context.reply("\n".join([*lines, *(_line(context, each) for each in queue.mine)]))


def _line(context: Context, mine: InLine) -> str:
    if mine.position == 0:
        return context.say("queue.yours_runs")
    if mine.seconds is None:
        return context.say("queue.yours", position=mine.position)
    return context.say("queue.yours_in", position=mine.position, seconds=mine.seconds)


COMMAND = Command("queue", run)
