"""What is shown of one answer and what should be shown: works out the next send, edit or deletion from one to the other. Pure, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bot.delivery.split import split
from bot.delivery.text_tables import monospaced
from bot.ports import Limits, Outgoing

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
    its end may be the first thing that is sent, because a repeated send would do no harm. `is_revision`: its end was shown before,
    and what is changed of it now (its votes) is a courtesy.
    """

    def __init__(self, limits: Limits, begun: int = 0, *, ends_directly: bool = False, is_revision: bool = False) -> None:
        self._limits = limits
        self._ends_directly = ends_directly or limits.deduplicates or limits.ends_directly
        self._drafting = limits.draft_seconds is not None and not begun
        self._preview: Outgoing | None = None
        self._shown: list[Outgoing | None] = [None] * begun
        self._content: Outgoing | None = None
        self._parts: tuple[Outgoing, ...] | None = ()  # what is said, in messages; None until somebody looks
        self._files = limits.messages is not None
        self._deleted: set[int] = set()  # parts that a person deleted
        self._held = False
        self.ended = False
        self.is_revision = is_revision
        self.changed_at = 0.0  # when it was last sent or edited

    @property
    def content(self) -> Outgoing | None:
        """What it says at present, whole; None: nothing yet, or it was taken back."""
        return self._content

    @property
    def begun(self) -> bool:
        return bool(self._shown)

    @property
    def visible(self) -> bool:
        """It has a way to be shown: no placeholder is needed."""
        return self.begun or self._drafting

    @property
    def preview_expires_at(self) -> float | None:
        """When what is shown natively has to be shown again, so that it stays."""
        stands = self._preview is not None and not self.ended
        return self.changed_at + self._limits.draft_seconds * FRESH if stands and self._limits.draft_seconds else None

    @property
    def end_due(self) -> bool:
        """Its end is due: it goes before everything else."""
        return self.ended and not self.is_revision

    @property
    def delivered(self) -> bool:
        """The end is shown, whole."""
        return self.ended and self.next_step() is None

    def is_last(self, step: Send) -> bool:
        """Whether this is the last of it."""
        return self.ended and step.part == len(self._wanted) - 1

    def update(self, message: Outgoing) -> bool:
        """What it says at present: the words while it waits, or the text so far. Whether that calls for a look at it:
        not where something that it said before is still to be shown.
        """
        all_shown = self._parts is not None and self.next_step() is None
        self._set_content(replace(message, final=False) if message.final else message)
        return all_shown

    def end(self, message: Outgoing) -> None:
        """The last word."""
        self._set_content(replace(message, final=True))
        self.ended = True

    def reopen(self, message: Outgoing) -> None:
        """Something that had ended goes on: its changes are courtesies again."""
        self.ended = False
        self.update(message)

    def retract(self) -> None:
        """Take back all of it."""
        self._content, self._parts, self.ended = None, (), True

    def drop_files(self) -> None:
        """The place takes none: all is said in messages, however many."""
        self._files = False
        if self._content is not None:
            self._set_content(replace(self._content, files=()))

    def expire_preview(self, now: float) -> None:
        if self.preview_expires_at is not None and now >= self.preview_expires_at:
            self._preview = None

    def next_step(self) -> Step | None:
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
        """What is full already stands there as a message; the rest is shown as it grows."""
        part = len(self._shown)
        if part < len(self._wanted) - 1:
            return Send(part, self._wanted[part])
        return Preview(self._wanted[-1]) if self._wanted and self._wanted[-1] != self._preview else None

    def record(self, step: Step, now: float, *, unsure: bool = False) -> None:
        """`unsure`: of a send, that a message stands there now, and whether it says this or what an earlier try of it said."""
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
        """This message can't be changed any more: it and what follows it are sent anew, so that the order holds."""
        del self._shown[part:]

    def mark_deleted(self, part: int) -> None:
        """A person deleted this message: it does not come back, and nothing more follows."""
        self._deleted.add(part)

    def hold_until_end(self) -> None:
        """Show no more of it before its end."""
        self._held = True

    def _first_send(self, message: Outgoing) -> Outgoing:
        # The end is an edit of a message whose id is known: a kill during a send can only leave an ellipsis behind.
        return message if self._ends_directly or not message.final else Outgoing(ELLIPSIS, private=message.private, final=False)

    def _set_content(self, message: Outgoing) -> None:
        self._content, self._parts = message, None

    @property
    def _wanted(self) -> tuple[Outgoing, ...]:
        """Worked out when it is looked at: most of what grows is overtaken before it is shown."""
        if self._parts is None:
            self._parts = self._split_content(self._content) if self._content is not None else ()
        return self._parts

    def _split_content(self, message: Outgoing) -> tuple[Outgoing, ...]:
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
