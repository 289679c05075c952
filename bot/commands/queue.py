"""`/queue`: how many questions wait, and this person's place in line; the reply is updated as the line moves."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bot.commands.command import Command, Context
from bot.platform import Outgoing
from bot.queue_status import QueuePosition, QueueStatus


async def run(context: Context) -> None:
    await context.actions.follow_line(context.incoming, partial(_words, context))


def _words(context: Context, queue: QueueStatus) -> Outgoing:
    """The reply for the queue as it stands; final when no question of this person waits any more."""
    if not (queue.waiting or queue.running):
        return context.reply(context.render("queue.empty"))
    lines = [context.render("queue.counts", waiting=queue.waiting, running=queue.running)]
    if queue.tokens_per_second is not None:
        lines.append(context.render("queue.speed", speed=queue.tokens_per_second))
    text = "\n".join([*lines, *(_line(context, each) for each in queue.mine)])
    return replace(context.reply(text), final=not any(mine.position for mine in queue.mine))


def _line(context: Context, mine: QueuePosition) -> str:
    if mine.position == 0:
        return context.render("queue.yours_runs")
    if mine.seconds is None:
        return context.render("queue.yours", position=mine.position)
    return context.render("queue.yours_in", position=mine.position, seconds=mine.seconds)


COMMAND = Command("queue", run)
