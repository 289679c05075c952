"""Sends a wall's changes to its pages: each entry as an event of its own, and only those that changed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.web.hub import Hub
from bot.demo.wall import Wall, WallEntry
from bot.steps.trace import sheet_of, trace_lines

IDLE_LOOKS = 40  # without a follower: pages that lost their connection are back sooner


class WallUpdates:
    """Publishes a wall's states to a hub."""

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._told: dict[str, Mapping[str, Any]] = {}
        self._alone = 0  # looks since somebody last followed

    @property
    def idle(self) -> bool:
        return self._alone > IDLE_LOOKS

    def send_changes(self, wall: Wall, *, maps: bool = False) -> None:
        """`maps`: finished answers are shown with where they looked."""
        self._alone = 0 if self._hub.followers else self._alone + 1
        states: dict[str, Mapping[str, Any]] = {
            f"entry-{entry.entry.shown.answer}": _entry(wall, entry) for entry in wall.entries if not entry.entry.shown.hidden
        }
        for subject, state in states.items():
            if self._told.get(subject) != state:
                self._hub.publish("entry", subject, state)
        for subject in self._told.keys() - states.keys() - {"now"}:
            self._hub.publish("gone", subject, {"id": self._told[subject]["id"]})
        states["now"] = {**_now(wall), "maps": maps}
        if self._told.get("now") != states["now"]:
            self._hub.publish("now", "now", states["now"])
        self._told = states


def _now(wall: Wall) -> dict[str, Any]:
    return {
        "prompt": wall.demo.prompt,
        "over": wall.demo.ended is not None,
        "waiting": wall.waiting,
        "answering": wall.running,
        "speed": round(wall.tokens_per_second),
        "liked": list(wall.liked),
    }


def _entry(wall: Wall, entry: WallEntry) -> dict[str, Any]:
    shown = entry.entry.shown
    sheet, seen = sheet_of(shown.trace)
    seconds = entry.place.seconds if entry.place else None
    return {
        "id": shown.answer,
        "question": shown.question,
        "name": shown.name,
        "asked": shown.asked,
        "pictures": [f"/wall/{wall.demo.code}/pictures/{sha256}" for sha256 in shown.pictures],
        "state": entry.state,
        "sections": [{"label": each.label, "text": each.text, "votes": entry.entry.votes[n]} for n, each in enumerate(entry.sections)],
        "steps": trace_lines(shown.trace),
        "seen": {"url": f"/wall/{wall.demo.code}/pictures/{sheet}", "alt": seen} if sheet else None,
        "place": entry.place.position if entry.place else None,
        "seconds": None if seconds is None else round(seconds),
        "took": None if entry.entry.seconds is None else round(entry.entry.seconds, 1),
    }
