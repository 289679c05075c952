"""Every error the bot raises on purpose, in one place, so that each layer can catch exactly what it expects.

BotError
├── Refusal               said to the person, in their language: a key of texts/*.toml with its values
│   └── Ignored           the person was just told: not repeated where others would have to read it
│       └── Withdrawn     the person took it back, or stopped it, before it was stored
├── ConfigError           names the option, the value and the remedy; ends the start
├── DutyLost              another bot on the database does now what one alone may do
├── EngineUnavailable     no engine answers, or it is loading; `retry_after` in seconds
├── EngineRefused         the engine rejected the request: its own sentence, the field, and whose `Fault` it is
├── EngineStartError      the engine that we start ourselves can't start: its own last words
├── WorkerError           a child process that handles strangers' bytes gave no answer
│   ├── WorkerMissing     it does not start
│   ├── WorkerTooSlow     it was ended after its time
│   └── WorkerDied        it ended by itself, mostly at the limit of its memory
├── AnswerLost            the stream broke before the answer's end: the job may be tried again
└── DeliveryError         the platform did not take a message; `retry_after` in seconds, None = don't know
    ├── FileRefused       the place takes no files: the text has to go in messages
    ├── MessageGone       the message to edit or to reply to was deleted
    ├── MessageFrozen     it is there and can't be changed any more, as everything in a closed thread
    │   └── MessageLost   it has another id now, which nobody knows
    ├── NotPrivate        no way is left on which one person alone would see it
    ├── TextBlocked       the place's own moderation lets these words not pass
    └── PlaceGone         kicked, blocked, or the channel was deleted: stop trying
"""

from __future__ import annotations

from enum import StrEnum


class BotError(Exception):
    """Base of all. `str(error)` is one sentence for the operator's log."""


class Refusal(BotError):
    """A person asked for something that they may not have, or that can't be done. `key` names the text that tells them."""

    def __init__(self, key: str, **values: str | int | float) -> None:
        super().__init__(key)
        self.key = key
        self.values = values


class Ignored(Refusal):
    """A refusal that the person was told a moment ago. It is not repeated where others would have to read it."""


class Withdrawn(Ignored):
    """The person deleted or stopped a question before it was stored."""


class ConfigError(BotError):
    """The configuration can't be used."""


class DutyLost(BotError):
    """Another bot on the same database has taken over what one alone may do."""


class EngineUnavailable(BotError):
    """No engine answers at present. `retry_after`: as it asked, in seconds; 0 = it did not say."""

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Fault(StrEnum):
    """Why an engine refuses. All but the fault of one request last until its operator changes something."""

    REQUEST = "request"
    KEY = "key"  # it is missing, or the server does not accept it
    QUOTA = "quota"  # the account's quota is used up
    MODEL = "model"  # the one that is configured isn't there
    START = "start"  # our own engine does not start, time after time
    SIGHT = "sight"  # the model sees no pictures
    SERVER = "server"  # what answers at the address is no OpenAI-compatible server


class EngineRefused(BotError):
    """The engine will not do this request, now or later. `too_long`: it might with fewer words (`context_length_exceeded`)."""

    def __init__(self, message: str, param: str | None = None, *, too_long: bool = False, fault: Fault = Fault.REQUEST) -> None:
        super().__init__(message)
        self.param = param
        self.too_long = too_long
        self.fault = fault


class EngineStartError(BotError):
    """Our own engine can't start, and starting it again would not help."""


class WorkerError(BotError):
    """A child process that handles strangers' bytes gave no answer."""


class WorkerMissing(WorkerError):
    """It does not start: something that it needs is not installed, or its limits are too tight."""


class WorkerTooSlow(WorkerError):
    """It took longer than it may, and was ended."""


class WorkerDied(WorkerError):
    """It ended in the middle of a request."""


class AnswerLost(BotError):
    """The engine went away in the middle of an answer."""


class DeliveryError(BotError):
    """The platform did not take a message. `unheard`: it may have taken it, since its response was lost. `rejected`: it found fault with
    the message, and will hardly take it another time."""

    def __init__(self, message: str, retry_after: float | None = None, *, unheard: bool = False, rejected: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.unheard = unheard
        self.rejected = rejected


class FileRefused(DeliveryError):
    """No files can be attached there."""


class MessageGone(DeliveryError):
    """The message is no longer there."""


class MessageFrozen(DeliveryError):
    """The message to edit can't be changed; raised by a send, nothing can be sent there."""


class MessageLost(MessageFrozen):
    """The message to edit has another id, which nobody knows: its channel got a new one."""


class NotPrivate(DeliveryError):
    """A private reply can't be shown to its reader alone there. `late`: it came too late, and nobody waits for it any more."""

    def __init__(self, message: str, *, late: bool = False) -> None:
        super().__init__(message)
        self.late = late


class TextBlocked(DeliveryError):
    """The place's own moderation does not let these words pass."""


class PlaceGone(DeliveryError):
    """The bot can no longer speak in this place."""
