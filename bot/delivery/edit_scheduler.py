"""What is shown of growing answers: chunks, a clock and a channel's edit budget in; send, edit, delete out. Pure, no I/O.

All answers of a channel share its budget. The end of an answer always goes first and always goes out; what is shown on
the way is a courtesy that pressure makes rarer. Times are seconds of any steady clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.delivery.split import split
from bot.delivery.text_tables import monospaced
from bot.ports import EditBudget, Limits, Outgoing

ELLIPSIS = "…"
NOTE_LENGTH = 100  # of what an adapter may say of the file below a message
FRESH = 0.7  # of the time after which a draft fades: then it is shown again


@dataclass(frozen=True, slots=True)
class Send:
    part: int
    message: Outgoing


@dataclass(frozen=True, slots=True)
class Edit:
    part: int
    message: Outgoing


@dataclass(frozen=True, slots=True)
class Delete:
    part: int


@dataclass(frozen=True, slots=True)
class Preview:
    """Shown natively while it grows, in no message."""

    message: Outgoing


Step = Send | Edit | Delete | Preview


class MessageDiff:
    """One answer: what should be shown, what is shown, and the next step from one to the other.

    `begun`: how many of its messages exist already, from before a restart; what they say is unknown. `ends_directly`:
    its end may be the first thing that is sent, because a repeated send would do no harm. `retold`: its end was shown before,
    and what is changed of it now (its votes) is a courtesy.
    """

    def __init__(self, limits: Limits, begun: int = 0, *, ends_directly: bool = False, retold: bool = False) -> None:
        self._limits = limits
        self._ends_directly = ends_directly or limits.deduplicates or limits.ends_directly
        self._drafting = limits.draft_seconds is not None and not begun
        self._previewed: Outgoing | None = None
        self._shown: list[Outgoing | None] = [None] * begun
        self._said: Outgoing | None = None
        self._fitted: tuple[Outgoing, ...] | None = ()  # what is said, in messages; None until somebody looks
        self._files = limits.messages is not None
        self._removed: set[int] = set()  # parts that a person deleted
        self._held = False
        self.ended = False
        self.retold = retold
        self.touched = 0.0  # when it was last sent or edited

    @property
    def said(self) -> Outgoing | None:
        """What it says at present, whole; None: nothing yet, or it was taken back."""
        return self._said

    @property
    def begun(self) -> bool:
        return bool(self._shown)

    @property
    def placed(self) -> bool:
        """It has a way to be shown: no placeholder is needed."""
        return self.begun or self._drafting

    @property
    def fades_at(self) -> float | None:
        """When what is shown natively has to be shown again, so that it stays."""
        stands = self._previewed is not None and not self.ended
        return self.touched + self._limits.draft_seconds * FRESH if stands and self._limits.draft_seconds else None

    @property
    def owed(self) -> bool:
        """Its end is due: it goes before everything else."""
        return self.ended and not self.retold

    @property
    def settled(self) -> bool:
        """The end is shown, whole."""
        return self.ended and self.step() is None

    def completed_by(self, step: Send) -> bool:
        """Whether this is the last of it."""
        return self.ended and step.part == len(self._wanted) - 1

    def show(self, message: Outgoing) -> bool:
        """What it says at present: the words while it waits, or the text so far. Whether that calls for a look at it:
        not where something that it said before is still to be shown.
        """
        all_shown = self._fitted is not None and self.step() is None
        self._say(replace(message, final=False) if message.final else message)
        return all_shown

    def end(self, message: Outgoing) -> None:
        """The last word."""
        self._say(replace(message, final=True))
        self.ended = True

    def reopen(self, message: Outgoing) -> None:
        """Something that had ended goes on: its changes are courtesies again."""
        self.ended = False
        self.show(message)

    def retract(self) -> None:
        """Take back all of it."""
        self._said, self._fitted, self.ended = None, (), True

    def do_without_files(self) -> None:
        """The place takes none: all is said in messages, however many."""
        self._files = False
        if self._said is not None:
            self._say(replace(self._said, files=()))

    def fade(self, now: float) -> None:
        if self.fades_at is not None and now >= self.fades_at:
            self._previewed = None

    def step(self) -> Step | None:
        if self._held and not self.ended:
            return None
        if self._drafting and not self.ended:
            return self._next_preview()
        for part, message in enumerate(self._wanted):
            if part == len(self._shown):
                return None if self._removed else Send(part, self._first_words(message))
            if self._shown[part] != message and part not in self._removed:
                return Edit(part, message)
        return Delete(len(self._shown) - 1) if self.ended and len(self._shown) > len(self._wanted) else None

    def _next_preview(self) -> Step | None:
        """What is full already stands there as a message; the rest is shown as it grows."""
        part = len(self._shown)
        if part < len(self._wanted) - 1:
            return Send(part, self._wanted[part])
        return Preview(self._wanted[-1]) if self._wanted and self._wanted[-1] != self._previewed else None

    def did(self, step: Step, now: float, *, unsure: bool = False) -> None:
        """`unsure`: of a send, that a message stands there now, and whether it says this or what an earlier try of it said."""
        self.touched = now
        if isinstance(step, Preview):
            self._previewed = step.message
        elif isinstance(step, Delete):
            self._shown.pop()
        elif isinstance(step, Send):
            self._shown.append(None if unsure else step.message)
        else:
            self._shown[step.part] = step.message

    def anew(self, part: int) -> None:
        """This message can't be changed any more: it and what follows it are sent anew, so that the order holds."""
        del self._shown[part:]

    def remove(self, part: int) -> None:
        """A person deleted this message: it does not come back, and nothing more follows."""
        self._removed.add(part)

    def hold(self) -> None:
        """Show no more of it before its end."""
        self._held = True

    def _first_words(self, message: Outgoing) -> Outgoing:
        # The end is an edit of a message whose id is known: a kill during a send can only leave an ellipsis behind.
        return message if self._ends_directly or not message.final else Outgoing(ELLIPSIS, private=message.private, final=False)

    def _say(self, message: Outgoing) -> None:
        self._said, self._fitted = message, None

    @property
    def _wanted(self) -> tuple[Outgoing, ...]:
        """Worked out when it is looked at: most of what grows is overtaken before it is shown."""
        if self._fitted is None:
            self._fitted = self._fit(self._said) if self._said is not None else ()
        return self._fitted

    def _fit(self, message: Outgoing) -> tuple[Outgoing, ...]:
        room, length = self._limits.text, self._limits.length
        text = message.text if self._limits.tables else monospaced(message.text)
        parts = split(f"{message.heading}{text}", room, length)
        if message.footer and length(f"{parts[-1]}\n\n{message.footer}") > room:
            parts = (*parts[:-1], *split(parts[-1], room - length(message.footer) - 2, length))
        full = replace(message, heading="", buttons=(), actions=(), files=(), columns=(), footer="", final=True)
        if self._files and self._limits.messages is not None and len(parts) > self._limits.messages:
            parts = parts[: self._limits.messages]
            begun = split(parts[-1], room - length(message.footer) - NOTE_LENGTH, length)[0]
            parts, message = (*parts[:-1], begun), replace(message, whole=message.text if message.final else "")
        messages = (*(replace(full, text=text) for text in parts[:-1]), replace(message, heading="", text=parts[-1]))
        return (messages[0], *(replace(part, picture=None) for part in messages[1:]))


class SlidingWindow:
    """At most so many actions in any window: the times of the last ones are kept."""

    def __init__(self, budget: EditBudget) -> None:
        self.allowed = budget
        self._spent: deque[float] = deque()

    def free(self, now: float) -> int:
        while self._spent and self._spent[0] + self.allowed.seconds <= now:
            self._spent.popleft()
        return self.allowed.edits - len(self._spent)

    def spend(self, now: float) -> None:
        self._spent.append(now)

    def delay(self, number: int, now: float) -> float:
        """Seconds until the `number`-th action from now is free, if all before it are done as soon as they may be."""
        self.free(now)
        windows, column = divmod(len(self._spent) + number - 1, self.allowed.edits)
        first = self._spent[column] if column < len(self._spent) else now
        return max(first + windows * self.allowed.seconds - now, 0.0)

    def more_at(self) -> float | None:
        """When one more is free."""
        return self._spent[0] + self.allowed.seconds if self._spent else None

    def full_at(self) -> float:
        """When all of it is."""
        return self._spent[-1] + self.allowed.seconds if self._spent else float("-inf")


class EditScheduler:
    """All answers that are being shown in one channel, by their id."""

    def __init__(self, limits: Limits) -> None:
        self._budget = SlidingWindow(limits.budget)
        self._marks = limits.marks
        self._asked = 0  # questions that wait or are being answered here, as far as they were told
        # A quarter is kept for ends; the rest is spread over the window, so that edits do not bunch and then freeze.
        self._reserve = limits.budget.edits // 4
        self._spacing = limits.budget.seconds / limits.budget.edits
        self._diffs: dict[int, MessageDiff] = {}
        self._resting: dict[int, float] = {}  # until when
        self._last_courtesy = float("-inf")
        self._paused_until = float("-inf")

    def add(self, answer: int, diff: MessageDiff) -> None:
        self._diffs[answer] = diff

    def drop(self, answer: int) -> None:
        self._diffs.pop(answer, None)
        self._resting.pop(answer, None)

    def next(self, now: float) -> tuple[int, Step] | None:
        """What to do now, and for which answer; None: nothing, or not yet (`wait`)."""
        for diff in self._diffs.values():
            diff.fade(now)
        free = self._budget.free(now)
        if now < self._paused_until or free <= 0:
            return None
        due = {answer: diff for answer, diff in self._diffs.items() if now >= self._resting.get(answer, now)}
        return self._end(due) or self._courtesy(due, now, free)

    def wait(self, now: float) -> float | None:
        """Seconds until `next` may have more to say, or the channel has `rested`; None: not before something new is shown."""
        times = [] if self._diffs else [self._rests_at()]
        times += [diff.fades_at for diff in self._diffs.values() if diff.fades_at is not None]
        if any(diff.step() for diff in self._diffs.values()):
            times += [self._paused_until, self._last_courtesy + self._spacing, self._budget.more_at() or now, *self._resting.values()]
        return min((time - now for time in times if time > now), default=None)

    def rested(self, now: float) -> bool:
        """Whether nothing that was shown counts any more."""
        return now >= self._rests_at()

    def delay(self, number: int, now: float) -> float:
        """Seconds until the end of the `number`-th answer from now can be shown: the ends that are due go before it."""
        due = sum(diff.owed and diff.step() is not None for diff in self._diffs.values())
        return max(self._budget.delay(due + number, now), self._paused_until - now)

    def expect(self, asked: int) -> None:
        """So many questions wait or are being answered here: each will need room for its end."""
        self._asked = asked

    def begin(self, answer: int, now: float) -> None:
        """A step of this answer goes out now; the platform counts it whether or not it succeeds."""
        self._budget.spend(now)
        if answer in self._diffs and not self._diffs[answer].owed:
            self._last_courtesy = now

    def pause(self, until: float) -> None:
        """The platform asks for it; the refused step is due again afterwards."""
        self._paused_until = max(self._paused_until, until)

    def rest(self, answer: int, until: float) -> None:
        """A step of this answer failed for no reason that concerns the others."""
        if answer in self._diffs:
            self._resting[answer] = until

    def _rests_at(self) -> float:
        return max(self._budget.full_at(), self._paused_until)

    def _end(self, due: Mapping[int, MessageDiff]) -> tuple[int, Step] | None:
        for answer, diff in due.items():
            if diff.owed and (step := diff.step()):
                return answer, step
        return None

    def _courtesy(self, due: Mapping[int, MessageDiff], now: float, free: int) -> tuple[int, Step] | None:
        """A placeholder while there is room for the ends of all that was begun; else the edit that is overdue most.

        Where questions are marked nobody needs a placeholder: then the room is for the ends of all that were asked.
        """
        live = {answer: diff for answer, diff in due.items() if not diff.owed}
        unsaid = [diff for diff in live.values() if not diff.retold]
        asked, begun = max(self._asked, len(unsaid)), sum(diff.begun for diff in unsaid)
        owed, kept = (asked, max(self._reserve, asked)) if self._marks else (begun, self._reserve)
        for answer, diff in live.items():
            if not diff.placed and free > owed and (step := diff.step()):
                return answer, step
        if free <= kept or now < self._last_courtesy + self._spacing:
            return None
        for answer, diff in sorted(live.items(), key=lambda item: item[1].touched):
            if diff.placed and (step := diff.step()):
                return answer, step
        return None
