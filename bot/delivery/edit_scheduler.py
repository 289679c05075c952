"""Decides which answer of a channel is sent or edited next, and when, within the platform's edit budget. Pure: no I/O.

All answers of a channel share its budget. Finished answers go first and always go out; updates of growing ones become rarer under
pressure. Times are seconds of any steady clock.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from bot.delivery.message_diff import MessageDiff, Step
from bot.platform import EditBudget, Limits


class SlidingWindow:
    """At most `edits` actions in any `seconds`: keeps the times of the last ones."""

    def __init__(self, budget: EditBudget) -> None:
        self.allowed = budget
        self._spent: deque[float] = deque()

    def free(self, now: float) -> int:
        """How many actions are allowed right now."""
        while self._spent and self._spent[0] + self.allowed.seconds <= now:
            self._spent.popleft()
        return self.allowed.edits - len(self._spent)

    def spend(self, now: float) -> None:
        self._spent.append(now)

    def seconds_until_free(self, number: int, now: float) -> float:
        """Seconds until the `number`-th action from now is allowed, if all before it are done as early as possible."""
        self.free(now)
        windows, column = divmod(len(self._spent) + number - 1, self.allowed.edits)
        first = self._spent[column] if column < len(self._spent) else now
        return max(first + windows * self.allowed.seconds - now, 0.0)

    def next_free_at(self) -> float | None:
        """When one more action becomes free; None: none was spent."""
        return self._spent[0] + self.allowed.seconds if self._spent else None

    def all_free_at(self) -> float:
        """When the whole budget is free again."""
        return self._spent[-1] + self.allowed.seconds if self._spent else float("-inf")


class EditScheduler:
    """The answers that are being shown in one channel, by id, and the channel's budget."""

    def __init__(self, limits: Limits) -> None:
        self._budget = SlidingWindow(limits.budget)
        self._reacts = limits.reacts
        self._pending = 0  # questions that wait or are being answered here
        # A quarter is kept for finished answers; the rest is spread over the window, so that edits do not bunch and then freeze.
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
        for answer, diff in self._by_urgency(now, free):
            if step := diff.next_step():
                return answer, step
        return None

    def _by_urgency(self, now: float, free: int) -> Iterator[tuple[int, MessageDiff]]:
        """Finished answers; then placeholders, while budget remains for the end of every answer begun; then the oldest updates.

        Where questions get a reaction nobody needs a placeholder: there the budget is kept for the end of every question asked.
        """
        due = [(answer, diff) for answer, diff in self._diffs.items() if now >= self._backing_off.get(answer, now)]
        yield from ((answer, diff) for answer, diff in due if diff.end_due)
        growing = [(answer, diff) for answer, diff in due if not diff.end_due]
        new = [diff for _, diff in growing if not diff.is_revision]
        pending, begun = max(self._pending, len(new)), sum(diff.begun for diff in new)
        for_ends, reserved = (pending, max(self._reserve, pending)) if self._reacts else (begun, self._reserve)
        if free > for_ends:
            yield from ((answer, diff) for answer, diff in growing if not diff.visible)
        if free > reserved and now >= self._last_update + self._spacing:
            oldest_first = sorted(growing, key=lambda item: item[1].changed_at)
            yield from ((answer, diff) for answer, diff in oldest_first if diff.visible)

    def seconds_until_next(self, now: float) -> float | None:
        """Seconds until `next_step` may return something, or the channel is `idle`; None: not before a text changes."""
        times = [] if self._diffs else [self._idle_at()]
        times += [diff.preview_expires_at for diff in self._diffs.values() if diff.preview_expires_at is not None]
        if any(diff.next_step() for diff in self._diffs.values()):
            free_at = self._budget.next_free_at() or now
            times += [self._paused_until, self._last_update + self._spacing, free_at, *self._backing_off.values()]
        return min((time - now for time in times if time > now), default=None)

    def idle(self, now: float) -> bool:
        """Whether nothing that was sent counts against the budget any more."""
        return now >= self._idle_at()

    def seconds_until_shown(self, number: int, now: float) -> float:
        """Seconds until the end of the `number`-th answer from now can be shown: those that wait already go before it."""
        due = sum(diff.end_due and diff.next_step() is not None for diff in self._diffs.values())
        return max(self._budget.seconds_until_free(due + number, now), self._paused_until - now)

    def takes_new(self, now: float) -> bool:
        """Whether the first words of one more answer would be shown at once."""
        growing = sum(not diff.end_due and not diff.is_revision for diff in self._diffs.values()) + 1
        return now >= self._paused_until and self._budget.free(now) > max(self._pending, growing)

    def set_pending(self, pending: int) -> None:
        """How many questions wait or are being answered here: the end of each will need budget."""
        self._pending = pending

    def count_step(self, answer: int, now: float) -> None:
        """A step of this answer is sent now: the platform counts it whether or not it succeeds."""
        self._budget.spend(now)
        if answer in self._diffs and not self._diffs[answer].end_due:
            self._last_update = now

    def pause(self, until: float) -> None:
        """The platform asked to wait: send nothing in this channel before then."""
        self._paused_until = max(self._paused_until, until)

    def back_off(self, answer: int, until: float) -> None:
        """A step of this answer failed: leave this answer alone until then, and go on with the others."""
        if answer in self._diffs:
            self._backing_off[answer] = until

    def _idle_at(self) -> float:
        return max(self._budget.all_free_at(), self._paused_until)
