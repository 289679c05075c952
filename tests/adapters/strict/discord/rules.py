"""What Discord refuses beyond permissions and forms, which simcord's backend knows: nonces, pace, AutoMod, closed threads."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from simcord.backend import Backend, permissions
from simcord.backend.errors import BackendError, unknown_message

Json = dict[str, Any]
MOST_NONCE = 25
NONCE_SECONDS = 300.0  # "the past few minutes"


@dataclass
class Paced:
    """One bucket as its headers tell of it."""

    name: str
    limit: int
    left: int
    reset_after: float  # seconds
    flooded: bool

    @property
    def headers(self) -> dict[str, str]:
        told = {"Limit": self.limit, "Remaining": self.left, "Reset-After": round(self.reset_after, 3), "Bucket": self.name}
        more = {"Retry-After": str(self.reset_after), "X-RateLimit-Scope": "user"} if self.flooded else {}
        return {f"X-RateLimit-{key}": str(value) for key, value in told.items()} | {"X-RateLimit-Reset": str(time.time())} | more


@dataclass
class Pace:
    """So many requests of a kind in any so many seconds, by channel or by an interaction's token."""

    limits: dict[str, tuple[int, float]] = field(
        default_factory=lambda: {
            "POST messages": (5, 5.0),
            "PATCH messages": (5, 5.0),
            "DELETE messages": (5, 1.0),
            "POST typing": (5, 5.0),
            "webhook": (5, 2.0),
        }
    )
    spent: dict[str, list[float]] = field(default_factory=dict)
    floods: int = 0  # how often a bucket was overdrawn

    def spend(self, method: str, path: Sequence[str]) -> Paced | None:
        kind, owner = _kind(method, path)
        if kind not in self.limits:
            return None
        (limit, seconds), now, name = self.limits[kind], time.monotonic(), f"{kind} {owner}"
        spent = self.spent[name] = [at for at in self.spent.get(name, []) if at + seconds > now]
        flooded = len(spent) >= limit
        if flooded:
            self.floods += 1
        else:
            spent.append(now)
        return Paced(name.replace(" ", "-"), limit, limit - len(spent), spent[0] + seconds - now, flooded)


def _kind(method: str, path: Sequence[str]) -> tuple[str, str]:
    match path:
        case ["channels", channel, ("messages" | "typing") as what, *_]:
            return f"{method} {what}", channel
        case ["webhooks", _, token, *_]:
            return "webhook", token
    return "", ""


@dataclass
class Rules:
    """`blocked`: words that AutoMod lets no message say."""

    backend: Backend
    blocked: set[str] = field(default_factory=set)
    nonces: dict[str, tuple[float, int]] = field(default_factory=dict)  # when, and of which message

    def check(self, method: str, path: Sequence[str], body: Json) -> None:
        """Raises BackendError."""
        nonce = body.get("nonce")
        if nonce is not None and len(str(nonce)) > MOST_NONCE:
            raise BackendError(400, 50035, "Invalid Form Body")
        if method in {"POST", "PATCH"} and any(word in str(body.get("content") or "") for word in self.blocked):
            raise BackendError(400, 200000, "Message was blocked by automatic moderation")
        match method, path:
            case "POST", ["channels", channel, "messages"]:
                self._wake(int(channel))
            case (("PATCH" | "DELETE"), ["channels", channel, "messages", _]):
                self._must_be_open(int(channel))
            case _, ["webhooks", _, token, *_] if token in self.backend.interaction_tokens:
                self._must_be_open(self.backend.interactions[self.backend.interaction_tokens[token]].channel_id)
            case "POST", ["interactions", name, *_] if int(name) in self.backend.interactions:
                self._must_be_open(self.backend.interactions[int(name)].channel_id)

    def repeated(self, path: Sequence[str], body: Json) -> int | None:
        """The message that this nonce has made before, whatever the repetition says; None: it is new, or needs not be."""
        at, message = self.nonces.get(str(body.get("nonce")), (0.0, 0))
        if not body.get("enforce_nonce") or at + NONCE_SECONDS < time.monotonic():
            return None
        if message not in self.backend.messages[int(path[1])]:
            raise unknown_message()  # deleted since, and not made again
        return message

    def note(self, body: Json, message: int) -> None:
        if body.get("enforce_nonce"):
            self.nonces[str(body["nonce"])] = time.monotonic(), message

    def _wake(self, channel: int) -> None:
        """Sending opens a thread again, unless it is locked."""
        self._must_be_unlocked(channel)
        if (thread := self.backend.channels.get(channel)) and thread.thread_metadata:
            thread.thread_metadata.archived = False

    def _must_be_open(self, channel: int) -> None:
        self._must_be_unlocked(channel)
        thread = self.backend.channels.get(channel)
        if thread and thread.thread_metadata and thread.thread_metadata.archived:
            raise BackendError(400, 50083, "Thread is archived")

    def _must_be_unlocked(self, channel: int) -> None:
        thread, ours = self.backend.channels.get(channel), self.backend.bot_user.id
        if not (thread and thread.thread_metadata and thread.thread_metadata.locked and thread.guild_id):
            return
        granted = self.backend.compute_permissions(thread.guild_id, ours, channel)
        if not granted & permissions.flag("manage_threads"):
            raise (
                BackendError(400, 50083, "Thread is archived")
                if thread.thread_metadata.archived
                else BackendError(403, 50013, "Missing Permissions")
            )
