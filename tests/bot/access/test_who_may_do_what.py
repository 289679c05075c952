"""SECURITY.md's table of who may do what is true: each cell is tried with a whole bot, on each platform."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio
import structlog

from bot.config.schema import AccessOptions
from bot.message import Author, Invocation, Place, Value
from bot.store.database import sqlite_url
from tests.bot.rig import Chat, Rig, ScriptedEngine, echo, message, running

SECURITY: Final = Path(__file__).parents[3] / "SECURITY.md"
GROUPS: Final = ("discord", "telegram")  # platforms with groups; the last column is the page's and the terminal's
RIGHTS: Final = {  # the texts of refusals that say that somebody may not, here
    *("access.denied", "access.private", "answer.not_yours", "answer.unknown", "forget.not_yours", "forget.nothing.person"),
    *("settings.not_yours_to_set", "settings.not_yours_to_open", "setup.not_operator", "setup.private"),
}
ASKER: Final = "17"

Tried = tuple[str, Mapping[str, Value]]  # a command and its options; ANSWER stands for the number of an answer
ANSWER: Final = "answer"
WHAT: Final[Mapping[str, Tried]] = {
    "ask a question": ("ask", {"prompt": "Which?"}),
    "stop one's own answer": ("stop", {}),
    "stop somebody else's answer": ("stop", {"answer_id": ANSWER}),
    "have somebody else's question answered again": ("again", {"answer_id": ANSWER}),
    "set a value for oneself": ("temperature", {"value": 0.5, "scope": "me"}),
    "set a value for the channel": ("temperature", {"value": 0.5, "scope": "channel"}),
    "let everybody set values for all": ("settings", {"open": False}),
    "see what is kept of oneself": ("privacy", {}),
    "delete what is one's own": ("forget", {}),
    "delete the channel's": ("forget", {"what": "channel"}),
    "delete another person's there": ("forget", {"person": ASKER}),
    "begin a demo": ("demo", {"action": "start", "prompt": "What is it?"}),
    "change the rules of the server": ("setup", {"rule": "cooldown", "amount": 0}),
    "change the rules for everywhere": ("setup", {"rule": "cooldown", "amount": 0, "everywhere": True}),
}


def table() -> dict[tuple[str, str], bool]:
    """(what, who) → whether they may."""
    lines = SECURITY.read_text(encoding="utf-8").partition("## Who may do what")[2].partition("\n## ")[0].splitlines()
    head, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in lines if line.startswith("|"))
    return {(row[0], who): cell == "yes" for row in rows for who, cell in zip(head[1:], row[1:], strict=True)}


CELLS: Final = [(platform, *cell) for cell in table() for platform in (("web", "terminal") if cell[1] == "alone" else GROUPS)]


def alone(platform: str) -> Place:
    """The place of whoever is by themselves."""
    return Place(platform, "alone", private=True)


@dataclass(frozen=True)
class Stage:
    """A bot on one platform, where Ann asked something and was answered."""

    rig: Rig
    platform: str
    place: Place
    answer: int  # to Ann

    def person(self, who: str) -> Author:
        manages = who.startswith("manager") or who == "alone"
        return Author(self.platform, who.replace(" ", "-"), who, manages=manages, moderates=who == "moderator")

    async def refusals(self, who: str, tried: Tried) -> set[str]:
        name, options = tried
        place = alone(self.platform) if who == "alone" else self.place
        given = {option: self.answer if value == ANSWER else value for option, value in options.items()}
        event = message(f"try{next(self.rig.ids)}", place=place, author=self.person(who), command=Invocation(name, given))
        with structlog.testing.capture_logs() as lines:
            await self.rig.core.handle(replace(event, unseen=True))
        return {str(line["reason"]) for line in lines if line["event"] == "refused"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stages(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[dict[str, Stage]]:
    """One bot for all platforms: who may do what is decided above them."""
    home, engine = tmp_path_factory.mktemp("rights"), ScriptedEngine(echo)
    engine.gate.set()
    operators = {f"{platform}:{who}" for platform in GROUPS for who in ("operator", "manager-and-operator")}
    denied = {f"{platform}:kept-out" for platform in GROUPS}
    access = AccessOptions(everyone=True, operators=frozenset(operators), deny_people=frozenset(denied))
    async with running(sqlite_url(home / "gander.db"), home, engine, Chat(name="discord"), access=access) as rig:
        found = dict[str, Stage]()
        for name in ("telegram", "web", "terminal"):
            rig.core.attach(replace(rig.chat, name=name))  # they all write into one list
        for name in (*GROUPS, "web", "terminal"):
            place = Place(name, "pond", server="geese" if name == "discord" else None)
            await rig.core.handle(message(f"{name}1", "What?", place=place, author=Author(name, ASKER, "Ann")))
            await rig.core.handle(message(f"{name}2", "And?", place=alone(name), author=Author(name, "alone", "alone", manages=True)))
            await rig.finals(2 * len(found) + 2)
            found[name] = Stage(rig, name, place, (await rig.core.history(place))[-1].id)
        yield found


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("platform", "what", "who"), CELLS)
async def test_each_cell(stages: dict[str, Stage], platform: str, what: str, who: str) -> None:
    refused = await stages[platform].refusals(who, WHAT[what])
    assert refused <= RIGHTS, "the try itself is wrong"
    assert table()[what, who] == (not refused)


def test_the_table_says_yes_and_no_of_everything_that_is_tried() -> None:
    assert {what for what, _ in table()} == set(WHAT)
    assert len(CELLS) == len(table()) * 2
