"""Compares what one answer should show with what it shows, and names the next send, edit or deletion between them. Pure: no I/O."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bot.delivery.split import split
from bot.delivery.text_tables import monospaced
from bot.platform import Limits, Outgoing

ELLIPSIS = "…"
NOTE_LENGTH = 100  # characters that an adapter may add below a message about its file
FOLD_LENGTH = 20  # characters that an adapter may put around steps
LEAST_ROOM = 64  # for text, as `split` needs it
REFRESH_AT = 0.7  # of the time after which a native draft vanishes: then it is shown again


@dataclass(frozen=True, slots=True)
class Send:
    """Send a new message. `part` counts an answer's messages from 0."""

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
    """Show the growing text as the platform's own draft (`SupportsDrafts`); no message is sent."""

    message: Outgoing


Step = Send | Edit | Delete | Preview


class MessageDiff:
    """One answer: its content, the messages that show it, and the next step to bring them up to date.

    `begun`: how many of its messages exist since before a restart; what they show is unknown. `ends_directly`: the finished text may
    be the first thing that is sent, because sending it twice does no harm. `is_revision`: the finished answer was shown before, and
    what changes now (its votes) can wait.
    """

    def __init__(self, limits: Limits, begun: int = 0, *, ends_directly: bool = False, is_revision: bool = False) -> None:
        self._limits = limits
        self._ends_directly = ends_directly or limits.deduplicates or limits.ends_directly
        self._drafting = limits.draft_seconds is not None and not begun
        self._preview: Outgoing | None = None  # the draft that the platform shows
        self._shown: list[Outgoing | None] = [None] * begun  # by part; None: unknown
        self._content: Outgoing | Callable[[], Outgoing] | None = None
        self._parts: tuple[Outgoing, ...] | None = ()  # the content, cut into messages; None: not cut yet
        self._files = limits.messages is not None
        self._deleted: set[int] = set()  # parts that a person deleted
        self._held = False
        self.ended = False
        self.is_revision = is_revision
        self.changed_at = 0.0  # when a message of it was last sent or edited, on the scheduler's clock

    @property
    def content(self) -> Outgoing | None:
        """The whole text as it should be shown now; None: nothing yet, or it was retracted."""
        if callable(self._content):
            self._content = self._content()
        return self._content

    @property
    def begun(self) -> bool:
        """Whether a message of it exists."""
        return bool(self._shown)

    @property
    def visible(self) -> bool:
        """Whether people see it growing already, so that it needs no placeholder."""
        return self.begun or self._drafting

    @property
    def preview_expires_at(self) -> float | None:
        """When the native draft has to be shown again so that it does not vanish."""
        stands = self._preview is not None and not self.ended
        return self.changed_at + self._limits.draft_seconds * REFRESH_AT if stands and self._limits.draft_seconds else None

    @property
    def end_due(self) -> bool:
        """Whether a finished answer waits to be shown: it goes before all updates."""
        return self.ended and not self.is_revision

    @property
    def delivered(self) -> bool:
        """Whether the finished text is shown, whole."""
        return self.ended and self.next_step() is None

    def is_last(self, step: Send) -> bool:
        """Whether nothing is left to send after this step."""
        return self.ended and step.part == len(self._wanted) - 1

    def update(self, message: Outgoing | Callable[[], Outgoing]) -> bool:
        """Take the text so far, or the place in line. True: the queue has to be told; False: an earlier change waits there already.

        A function makes the message, not final, when a step needs it: most texts are replaced by longer ones before.
        """
        all_shown = self._parts is not None and self.next_step() is None
        self._content, self._parts = message if callable(message) or not message.final else replace(message, final=False), None
        return all_shown

    def finish(self, message: Outgoing) -> None:
        """Take the finished text."""
        self._content, self._parts = replace(message, final=True), None
        self.ended = True

    def reopen(self, message: Outgoing) -> None:
        """Go on with something that had ended: its changes are updates again."""
        self.ended = False
        self.update(message)

    def retract(self) -> None:
        """Delete all of its messages."""
        self._content, self._parts, self.ended = None, (), True

    def drop_files(self) -> None:
        """The place takes no files: show all of the text in messages, however many."""
        self._files = False
        if self.content is not None:
            self._content, self._parts = replace(self.content, files=()), None

    def expire_preview(self, now: float) -> None:
        """Forget the native draft if it is about to vanish: the next step shows it again."""
        if self.preview_expires_at is not None and now >= self.preview_expires_at:
            self._preview = None

    def next_step(self) -> Step | None:
        """The next step towards the content; None: it is shown, or held until its end."""
        if self._held and not self.ended:
            return None
        if self._drafting and not self.ended:
            return self._next_preview()
        for part, message in enumerate(self._wanted):
            if part == len(self._shown):
                return None if self._deleted else Send(part, self._first_send(message))
            if self._shown[part] != message and part not in self._deleted:
                return Edit(part, message)
        return Delete(len(self._shown) - 1) if self.ended and len(self._shown) > len(self._wanted) else None

    def _next_preview(self) -> Step | None:
        """Full parts are sent as messages; the last one, which still grows, is shown as a draft."""
        part = len(self._shown)
        if part < len(self._wanted) - 1:
            return Send(part, self._wanted[part])
        return Preview(self._wanted[-1]) if self._wanted and self._wanted[-1] != self._preview else None

    def record(self, step: Step, now: float, *, unsure: bool = False) -> None:
        """A step was carried out. `unsure`: a message was sent, but it may show the text of an earlier try."""
        self.changed_at = now
        if isinstance(step, Preview):
            self._preview = step.message
        elif isinstance(step, Delete):
            self._shown.pop()
        elif isinstance(step, Send):
            self._shown.append(None if unsure else step.message)
        else:
            self._shown[step.part] = step.message

    def resend_from(self, part: int) -> None:
        """This part can't be edited any more: send it and all later ones again, so that their order stays."""
        del self._shown[part:]

    def mark_deleted(self, part: int) -> None:
        """A person deleted this part: don't send it again, nor any later one."""
        self._deleted.add(part)

    def hold_until_end(self) -> None:
        """Show nothing more before the finished text."""
        self._held = True

    def _first_send(self, message: Outgoing) -> Outgoing:
        # The finished text goes into a message whose id is known: a kill during a send can only leave an ellipsis behind.
        if self._ends_directly or not message.final:
            return message
        return Outgoing(ELLIPSIS, answer_id=message.answer_id, private=message.private, final=False)

    @property
    def _wanted(self) -> tuple[Outgoing, ...]:
        """The content cut into messages, on demand."""
        if self._parts is None:
            self._parts = self._cut(self.content) if self.content is not None else ()
        return self._parts

    def _cut(self, message: Outgoing) -> tuple[Outgoing, ...]:
        room, length = self._limits.text, self._limits.length
        text = message.text if self._limits.tables else monospaced(message.text)
        parts = split(f"{message.heading}{text}", room, length)
        below = _length_below(message, length)
        if message.steps and room - below < LEAST_ROOM and length(parts[-1]) + below > room:  # they stay stored
            message = replace(message, steps="")
            below = _length_below(message, length)
        if below and length(parts[-1]) + below > room:
            parts = (*parts[:-1], *split(parts[-1], room - below, length))
        full = replace(message, heading="", buttons=(), actions=(), files=(), columns=(), footer="", steps="", final=True)
        if self._files and self._limits.messages is not None and len(parts) > self._limits.messages:
            parts = parts[: self._limits.messages]
            begun = split(parts[-1], room - below - NOTE_LENGTH, length)[0]
            parts, message = (*parts[:-1], begun), replace(message, whole=message.text if message.final else "")
        messages = (*(replace(full, text=text) for text in parts[:-1]), replace(message, heading="", text=parts[-1]))
        return (messages[0], *(replace(part, picture=None) for part in messages[1:]))


def _length_below(message: Outgoing, length: Callable[[str], int]) -> int:
    """Of what stands below the text of the last message."""
    return (length(message.footer) + 2 if message.footer else 0) + (length(message.steps) + FOLD_LENGTH if message.steps else 0)
