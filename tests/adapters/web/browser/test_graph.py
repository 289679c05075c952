"""The page's graph alone, in a browser: whatever is asked, said and told in whatever order, every message has its place and is reached."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.adapters.web.profiles import new_profile
from tests.adapters.web.whole import served
from tests.bot.rig import ScriptedEngine

pytestmark = pytest.mark.asyncio(loop_scope="session")

STEPS = 45
LOAD = """async (tabs) => {
    const { Graph } = await import('/static/graph.js');
    window.tabs = Array.from({ length: tabs }, () => new Graph());
    window.seen = (graph) => {
        const reached = new Set();
        const walk = (id) => {
            if (reached.has(id)) return;
            graph.choose(id);
            const path = graph.path(graph.root(id));
            if (!path.some((message) => message.id === id)) throw new Error(`${id} is chosen and not on the way`);
            for (const message of path) {
                reached.add(message.id);
                for (const other of graph.siblings(message.id)) walk(other);
            }
        };
        for (const { id } of graph.roots()) walk(id);
        return [...reached].sort();
    };
}"""
PATH = "([tab, root]) => tabs[tab].path(tabs[tab].root(root)).map(({ id }) => id)"
ALL = "([tab, ids]) => ids.filter((id) => tabs[tab].get(id)).map((id) => ({ ...tabs[tab].get(id) }))"


@dataclass
class World:
    """The server as the page sees it: messages in the order of the store, and what each tab is still to be told."""

    page: Page
    dice: random.Random
    messages: dict[str, dict[str, Any]] = field(default_factory=dict)
    untold: tuple[list[dict[str, Any]], ...] = ((), ())  # type: ignore[assignment]  # of each tab
    leaf: list[str | None] = field(default_factory=lambda: [None, None])  # what each tab looks at the end of
    count: int = 0

    def __post_init__(self) -> None:
        self.untold = ([], [])

    def store(self, role: str, parent: str | None, name: str = "", conversation: str = "") -> dict[str, Any]:
        self.count += 1
        conversation = conversation or (self.messages[parent]["conversation"] if parent else f"c{self.count}")
        message: dict[str, Any] = {"id": name or f"stored-{self.count}", "parent": parent, "number": self.count, "role": role, "text": "?"}
        message |= {"final": role == "person", "conversation": conversation}
        if role == "bot":
            message |= {"text": "", "answer": self.count}
        self.messages[message["id"]] = message
        self.tell(message)
        return message

    def tell(self, message: dict[str, Any]) -> None:
        for events in self.untold:
            events.append(dict(message))

    async def call(self, tab: int, method: str, *arguments: object) -> None:
        await self.page.evaluate("([tab, method, list]) => { tabs[tab][method](...list); }", [tab, method, list(arguments)])

    async def ask(self, tab: int, parent: str | None, conversation: str = "") -> None:
        """The question is shown at once; the server hears of it, and the page of that, in an order that the dice choose."""
        name = f"{tab}-{self.count}-question"
        await self.call(tab, "put", {"id": name, "parent": parent, "role": "person", "text": "?"})
        await self.call(tab, "choose", name)
        self.leaf[tab] = name
        before = self.count
        self.store("person", parent, name, conversation)
        self.store("bot", name)
        await self.answered(tab, before)

    async def again(self, tab: int, question: str) -> None:
        before = self.count
        made = self.store("bot", question)
        await self.answered(tab, before)
        await self.call(tab, "choose", made["id"])
        self.leaf[tab] = made["id"]

    async def answered(self, tab: int, before: int) -> None:
        """The request's own reply comes before or after its events."""
        if self.dice.random() < 0.5:
            await self.deliver(tab, self.dice.randrange(9))
        await self.call(tab, "merge", [m for m in self.messages.values() if m["number"] > before])

    async def deliver(self, tab: int, most: int) -> None:
        events = self.untold[tab]
        for _ in range(min(most, len(events))):
            event = events.pop(0)
            if event["role"] == "bot" and self.dice.random() < 0.5:  # as it is told live
                del event["number"], event["conversation"]
            await self.call(tab, "put", event)

    def grow(self, *, end: bool) -> None:
        """An answer says more. As in the store, its words are there when it ends."""
        if open_ones := [m for m in self.messages.values() if not m["final"]]:
            message = self.dice.choice(open_ones)
            said = f"{message.get('said', '')}word "
            message["said"] = said
            self.tell({**message, "text": said, "final": end})
            if end:
                message |= {"text": said, "final": True}

    async def look(self, tab: int, *, anew: bool) -> None:
        """The history, of all or of the newest; what is on its way to the tab is newer or older than it."""
        if anew:
            await self.page.evaluate("async (tab) => { tabs[tab] = new (await import('/static/graph.js')).Graph(); }", tab)
            self.leaf[tab] = None
        held = list(self.messages.values())
        window = held if anew or self.dice.random() < 0.5 else held[-self.dice.randint(1, 6) :]
        if window:
            await self.call(tab, "merge", window, {"since": 0 if window == held else window[0]["number"]})

    async def step(self) -> None:
        tab, held = self.dice.randrange(2), list(self.messages.values())
        known = {m["id"] for m in await self.page.evaluate(ALL, [tab, [m["id"] for m in held]])}
        here = [m for m in held if m["id"] in known]
        end = (await self.page.evaluate(PATH, [tab, self.leaf[tab]]) or [None])[-1]
        what = self.dice.choices(range(8), (5, 2, 3, 2, 2, 6, 6, 1))[0]
        if what == 0:
            await self.ask(tab, end)
        elif what == 1:
            await self.ask(tab, self.dice.choice(here)["id"] if here and self.dice.random() < 0.7 else None)
        elif what == 2 and (answers := [m for m in here if m["role"] == "bot" and m["final"]]):
            await self.again(tab, self.dice.choice(answers)["parent"])
        elif what == 3 and (questions := [m for m in here if m["role"] == "person"]):
            edited = self.dice.choice(questions)
            await self.ask(tab, edited["parent"], edited["conversation"])
        elif what == 4 and here:
            chosen = self.dice.choice(here)["id"]
            await self.call(tab, "choose", chosen)
            self.leaf[tab] = chosen
        elif what == 5:
            await self.deliver(tab, self.dice.randrange(6))
        elif what == 6:
            self.grow(end=self.dice.random() < 0.5)
        else:
            await self.look(tab, anew=self.dice.random() < 0.3)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Page]:
    home = tmp_path_factory.mktemp("graph")
    async with served(home, ScriptedEngine(lambda _: ())) as url, new_profile(browser) as page:
        await page.goto(f"{url}/static/graph.js")  # ours, and without the page's own life
        yield page


async def check(world: World, tab: int) -> None:
    """All that the tab knows is reached, and what it asked or chose last is on the screen."""
    before = await world.page.evaluate(PATH, [tab, world.leaf[tab]])
    assert world.leaf[tab] is None or world.leaf[tab] in before
    known = [m["id"] for m in await world.page.evaluate(ALL, [tab, list(world.messages)])]
    assert await world.page.evaluate("(tab) => seen(tabs[tab])", tab) == sorted(known)
    if before:
        await world.call(tab, "choose", before[-1])


@pytest.mark.parametrize("seed", [0, 1, 2, *(pytest.param(seed, marks=pytest.mark.sweep) for seed in range(3, 20))])
async def test_every_question_and_answer_stays_reachable(page: Page, seed: int) -> None:
    await page.evaluate(LOAD, 2)
    world = World(page, random.Random(seed))
    for _ in range(STEPS):
        await world.step()
        await check(world, world.dice.randrange(2))
    while any(not message["final"] for message in world.messages.values()):
        world.grow(end=True)
    for tab in range(2):
        await world.deliver(tab, len(world.untold[tab]))
        await check(world, tab)
        found = await page.evaluate(ALL, [tab, list(world.messages)])
        expected = {m["id"]: (m["parent"], m["text"], True) for m in world.messages.values()}
        assert {m["id"]: (m["parent"], m["text"], m["final"]) for m in found} == expected


async def test_what_arrives_never_changes_what_is_looked_at(page: Page) -> None:
    await page.evaluate(LOAD, 1)
    path = await page.evaluate(
        """() => {
            const [graph] = tabs;
            for (const [id, parent, role] of [['q', null, 'person'], ['a', 'q', 'bot']]) graph.put({ id, parent, role });
            graph.keep(graph.path('q'));
            for (const [id, parent] of [['a2', 'q'], ['q2', 'a2'], ['a3', 'q']]) graph.put({ id, parent, role: 'bot' });
            return graph.path('q').map(({ id }) => id);
        }"""
    )
    assert path == ["q", "a"]


async def test_a_fresh_page_shows_the_newest_message_of_a_conversation(page: Page) -> None:
    await page.evaluate(LOAD, 1)
    path = await page.evaluate(
        """() => {
            const [graph] = tabs;
            const rows = [['q', null], ['a', 'q'], ['b', 'q'], ['q2', 'a']];
            graph.merge(rows.map(([id, parent], at) => ({ id, parent, number: at + 1, role: 'bot', final: true })), { since: 0 });
            return graph.path('q').map(({ id }) => id);
        }"""
    )
    assert path == ["q", "a", "q2"]


async def test_what_is_deleted_elsewhere_goes_and_what_is_on_its_way_stays(page: Page) -> None:
    await page.evaluate(LOAD, 1)
    held = await page.evaluate(
        """() => {
            const [graph] = tabs;
            const rows = [['old', 1], ['gone', 5], ['kept', 6], ['sent', undefined]];
            for (const [id, number] of rows) graph.put({ id, number, role: 'person' });
            graph.merge([{ id: 'kept', number: 6, role: 'person', parent: null }], { since: 4 });
            return ['old', 'gone', 'kept', 'sent'].filter((id) => graph.get(id));
        }"""
    )
    assert held == ["old", "kept", "sent"]
