"""Pictures that come otherwise than attached: in embeds that Discord proxied, in links that unfurl late, in motion."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from adapters.discord.download import allowed
from bot.media.films import FilmFrames, FilmSampling, can_open_films
from tests.adapters.conformance import Listener
from tests.adapters.discord.rig import AT_ONCE, PROXIED, Cdn, new_client
from tests.adapters.discord.whole import DUCK, GOOSE, Whole, pictures_in, whole_bot
from tests.adapters.strict.discord.server import ANN, Wire, connected, message_payload
from tests.bot.hostile import encode
from tests.bot.media.test_films import film


def shown_at(url: str, link: str = "https://goose.example/") -> dict[str, Any]:
    """An embed as Discord makes it of a link to a picture. `url`: Discord's own copy."""
    return {
        "type": "image",
        "url": link,
        "thumbnail": {"url": "https://goose.example/goose.png", "proxy_url": url, "width": 20, "height": 10},
    }


def link(whole: Whole, text: str, embeds: Sequence[dict[str, Any]] = ()) -> Any:
    """Ann writes a message with these embeds."""
    server = whole.server
    return server.env.backend.create_message(server.channel.id, server.ann.id, text, embeds=list(embeds))


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole_bot(tmp_path) as whole:
        whole.server.cdn.elsewhere[PROXIED] = GOOSE
        yield whole


async def test_a_picture_that_discord_proxied_is_looked_at(whole: Whole) -> None:
    link(whole, f"{whole.server.mention} what is https://goose.example/", [shown_at(PROXIED)])
    await whole.ends(1)
    assert whole.server.cdn.fetched == [PROXIED]
    assert len(pictures_in(whole.engine.requests[0])) == 1


async def test_a_picture_on_any_other_host_is_not_fetched(whole: Whole) -> None:
    link(whole, f"{whole.server.mention} what is https://goose.example/", [shown_at("https://goose.example/goose.png")])
    await whole.ends(1)
    assert whole.server.cdn.fetched == []
    assert pictures_in(whole.engine.requests[0]) == []


async def test_links_for_others_and_links_of_its_own_are_not_waited_for(whole: Whole) -> None:
    await whole.server.bob.send(whole.server.channel, "see https://goose.example/")
    link(whole, f"{whole.server.mention} what is https://goose.example/", [shown_at(PROXIED)])
    assert await whole.ends(1) == ["You asked: what is https://goose.example/"]
    await whole.server.env.settle()  # raises where something still waits
    await whole.asks("and now?")
    assert len(await whole.ends(2)) == 2


async def test_a_hidden_link_s_picture_is_answered_under_spoiler_tags(whole: Whole) -> None:
    link(whole, f"{whole.server.mention} what? ||https://goose.example/||", [shown_at(PROXIED)])
    assert (await whole.ends(1))[0].startswith("||")


@pytest.mark.parametrize("form", ["GIF", "WEBP"])
async def test_of_a_moving_picture_the_first_frame_is_looked_at(whole: Whole, form: str) -> None:
    first, second = (Image.new("RGB", (20, 10), color) for color in ("white", "black"))
    moving = BytesIO()
    first.save(moving, form, save_all=True, append_images=[second], duration=100, lossless=True)
    await whole.asks("what is this?", attachments=[(f"goose.{form.lower()}", moving.getvalue())])
    await whole.ends(1)
    [url] = pictures_in(whole.engine.requests[0])
    with Image.open(BytesIO(base64.b64decode(url.split(",", 1)[1]))) as seen:
        assert (seen.size, getattr(seen, "n_frames", 1)) == ((20, 10), 1)
        assert seen.convert("L").getextrema() == (255, 255)


async def test_several_pictures_are_looked_at_in_their_order(whole: Whole) -> None:
    await whole.asks("compare", attachments=[("goose.png", GOOSE), ("duck.png", DUCK)])
    await whole.ends(1)
    first, second = pictures_in(whole.engine.requests[0])
    await whole.asks("this one", attachments=[("duck.png", encode(Image.new("RGB", (20, 10), "brown"), "PNG"))])
    await whole.ends(2)
    assert first != second
    assert pictures_in(whole.engine.requests[1]) == [second]


async def test_a_forwarded_picture_is_asked_about_by_a_reply(whole: Whole) -> None:
    """A forward takes no words: people ask in a reply to it."""
    server = whole.server
    pond = server.guild.create_text_channel("pond")
    photo = await server.bob.send(pond, "my goose", attachments=[("goose.png", GOOSE)])
    forwarded = await server.ann.forward(photo, server.channel)
    await whole.asks("what is this?", reply_to=forwarded)
    await whole.ends(1)
    assert len(pictures_in(whole.engine.requests[0])) == 1


@pytest.mark.parametrize(("form", "name"), [(1, "9.png"), (2, "9.png"), (4, "9.gif")])
async def test_a_sticker_is_a_picture(wire: Wire, bot: Listener, form: int, name: str) -> None:
    host = "media.discordapp.net" if form == 4 else "cdn.discordapp.com"
    url = f"https://{host}/stickers/{name}"
    async with connected(new_client(bot, Cdn(elsewhere={url: b"goose"}), **AT_ONCE)):
        await wire.dispatch(
            "MESSAGE_CREATE", message_payload("1", ANN, "") | {"sticker_items": [{"id": "9", "name": "g", "format_type": form}]}
        )
        await bot.hears()
    assert allowed(url)
    assert bot.heard[0].pictures == (b"goose",)


@pytest.mark.skipif(not can_open_films(), reason="the extra `films` is not installed")
async def test_a_clip_is_asked_about_by_its_frames_and_frames_shows_them(tmp_path: Path) -> None:
    frames = FilmFrames(FilmSampling())
    async with whole_bot(tmp_path, films=frames) as whole:
        await whole.asks("what happens?", attachments=[("clip.mp4", film("mpeg4", "mp4"))])
        assert await whole.ends(1) == ["You asked: First, at 0.5 s:Then, at 1.5 s:After that, at 2.5 s:Finally, at 3.5 s:what happens?"]
        shown = await whole.server.ann.slash(whole.server.channel, "frames")
        await whole.until(lambda: shown.response is not None and bool(shown.response.attachments))
    assert len(pictures_in(whole.engine.requests[0])) == 4
    assert shown.ephemeral
    assert shown.response is not None
    assert shown.response.content == "What I saw of the film: 0.5 s, 1.5 s, 2.5 s, 3.5 s"
    await frames.close()
