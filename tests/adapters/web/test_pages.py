"""The page's requests and its stream, as its script uses them."""

from __future__ import annotations

from bot.platform import Button, Outgoing
from tests.adapters.conformance import Listener
from tests.adapters.web.browserless import READY, Visitor


async def test_the_session_tells_what_the_header_and_the_sliders_show(visitor: Visitor) -> None:
    session = await visitor.session()
    assert session["engine"]["notice"] == READY.notice
    assert session["engine"]["state"] == "ready"
    assert session["settings"] == {"defaults": {"temperature": 1.0, "beams": 1}, "caps": {"temperature": 2.0, "beams": 5}, "missing": []}


async def test_a_page_that_reconnects_resumes_where_it_was(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("Hello")
    place = bot.heard[-1].incoming.place
    (platform,) = bot.attached
    message = await platform.send(place, Outgoing("H", (Button.STOP,), 1, final=False), reply_to="q", nonce="n")
    async with visitor.events() as events:
        begun = await anext(events)
    await platform.edit(place, message, Outgoing("Hon", (Button.STOP,), 1, final=False))
    await platform.edit(place, message, Outgoing("Honk.", (Button.AGAIN,), 1))
    async with visitor.events(after=begun["id"]) as events:
        missed = await anext(events)
    assert (missed["data"]["text"], missed["data"]["final"], missed["data"]["parent"]) == ("Honk.", True, "q")


async def test_nobody_gets_the_events_of_another(visitor: Visitor, bot: Listener) -> None:
    await visitor.ask("Hello")
    (platform,) = bot.attached
    await platform.send(bot.heard[-1].incoming.place, Outgoing("For you alone."), reply_to=None, nonce="n")
    async with Visitor(visitor.url) as other:
        assert await other.states() == []
