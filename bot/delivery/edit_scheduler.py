"""What is shown of growing answers: chunks, a clock and a channel's edit budget in; send, edit, delete out. Pure, no I/O.

All answers of a channel share its budget. The end of an answer always goes first and always goes out; what is shown on
the way is a courtesy that pressure makes rarer. Times are seconds of any steady clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from bot.delivery.message_diff import MessageDiff, Step
from bot.ports import EditBudget, Limits


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

    def seconds_until_shown(self, number: int, now: float) -> float:
        """Seconds until the `number`-th action from now is free, if all before it are done as soon as they may be."""
        self.free(now)
        windows, column = divmod(len(self._spent) + number - 1, self.allowed.edits)
        first = self._spent[column] if column < len(self._spent) else now
        return max(first + windows * self.allowed.seconds - now, 0.0)

    def next_free_at(self) -> float | None:
        """When one more is free."""
        return self._spent[0] + self.allowed.seconds if self._spent else None

    def all_free_at(self) -> float:
        """When all of it is."""
        return self._spent[-1] + self.allowed.seconds if self._spent else float("-inf")


class EditScheduler:
    """All answers that are being shown in one channel, by their id."""

    def __init__(self, limits: Limits) -> None:
        self._budget = SlidingWindow(limits.budget)
        self._reacts = limits.marks
        self._pending = 0  # questions that wait or are being answered here, as far as they were told
        # A quarter is kept for ends; the rest is spread over the window, so that edits do not bunch and then freeze.
        self._reserve = limits.budget.edits // 4
        self._spacing = limits.budget.seconds / limits.budget.edits
        self._diffs: dict[int, MessageDiff] = {}
        self._backing_off: dict[int, float] = {}  # until when
        self._last_update = float("-inf")
        self._paused_until = float("-inf")

    def add(self, answer: int, diff: MessageDiff) -> None:
        self._diffs[answer] = diff

    def remove(self, answer: int) -> None:
        self._diffs.pop(answer, None)
        self._backing_off.pop(answer, None)

    def next_step(self, now: float) -> tuple[int, Step] | None:
        """What to do now, and for which answer; None: nothing, or not yet (`seconds_until_next`)."""
        for diff in self._diffs.values():
            diff.expire_preview(now)
        free = self._budget.free(now)
        if now < self._paused_until or free <= 0:
            return None
        due = {answer: diff for answer, diff in self._diffs.items() if now >= self._backing_off.get(answer, now)}
        return self._next_end(due) or self._next_update(due, now, free)

    def seconds_until_next(self, now: float) -> float | None:
        """Seconds until `next_step` may have more to say, or the channel is `idle`; None: not before something new is shown."""
        times = [] if self._diffs else [self._idle_at()]
        times += [diff.preview_expires_at for diff in self._diffs.values() if diff.preview_expires_at is not None]
        if any(diff.next_step() for diff in self._diffs.values()):
            times += [
                self._paused_until,
                self._last_update + self._spacing,
                self._budget.next_free_at() or now,
                *self._backing_off.values(),
            ]
        return min((time - now for time in times if time > now), default=None)

    def idle(self, now: float) -> bool:
        """Whether nothing that was shown counts any more."""
        return now >= self._idle_at()

    def seconds_until_shown(self, number: int, now: float) -> float:
        """Seconds until the end of the `number`-th answer from now can be shown: the ends that are due go before it."""
        due = sum(diff.end_due and diff.next_step() is not None for diff in self._diffs.values())
        return max(self._budget.seconds_until_shown(due + number, now), self._paused_until - now)

    def set_pending(self, pending: int) -> None:
        """So many questions wait or are being answered here: each will need room for its end."""
        self._pending = pending

    def count_step(self, answer: int, now: float) -> None:
        """A step of this answer goes out now; the platform counts it whether or not it succeeds."""
        self._budget.spend(now)
        if answer in self._diffs and not self._diffs[answer].end_due:
            self._last_update = now

    def pause(self, until: float) -> None:
        """The platform asks for it; the refused step is due again afterwards."""
        self._paused_until = max(self._paused_until, until)

    def back_off(self, answer: int, until: float) -> None:
        """A step of this answer failed for no reason that concerns the others."""
        if answer in self._diffs:
            self._backing_off[answer] = until

    def _idle_at(self) -> float:
        return max(self._budget.all_free_at(), self._paused_until)

    def _next_end(self, due: Mapping[int, MessageDiff]) -> tuple[int, Step] | None:
        for answer, diff in due.items():
            if diff.end_due and (step := diff.next_step()):
                return answer, step
        return None

    def _next_update(self, due: Mapping[int, MessageDiff], now: float, free: int) -> tuple[int, Step] | None:
        """A placeholder while there is room for the ends of all that was begun; else the edit that is overdue most.

        Where questions are marked nobody needs a placeholder: then the room is for the ends of all that were asked.
        """
        live = {answer: diff for answer, diff in due.items() if not diff.end_due}
        unsaid = [diff for diff in live.values() if not diff.is_revision]
        pending, begun = max(self._pending, len(unsaid)), sum(diff.begun for diff in unsaid)
        reserved_for_ends, reserved = (pending, max(self._reserve, pending)) if self._reacts else (begun, self._reserve)
        for answer, diff in live.items():
            if not diff.visible and free > reserved_for_ends and (step := diff.next_step()):
                return answer, step
        if free <= reserved or now < self._last_update + self._spacing:
            return None
        for answer, diff in sorted(live.items(), key=lambda item: item[1].changed_at):
            if diff.visible and (step := diff.next_step()):
                return answer, step
        return None
