"""A public answer to what nobody else saw shows its question on the wire: who asked, what, about which picture, after which answer."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from bot.texts import load_texts
from tests.adapters.strict.discord.whole import whole as on_discord
from tests.adapters.strict.telegram.world import ANN, BOB
from tests.adapters.telegram.rig import whole as on_telegram
from tests.bot.hostile import encode
from tests.bot.rig import ScriptedEngine, echo

TEXTS = load_texts()
GOOSE = encode(Image.new("RGB", (20, 10), "white"), "PNG")


async def test_on_discord_a_command_s_picture_stands_small_beside_its_answer(tmp_path: Path) -> None:
    async with on_discord(tmp_path) as bot:
        bot.world.gives("ask", prompt="how many geese?", image=("goose.png", GOOSE))
        assert await bot.ends() == ["> **ann**: how many geese?\n\nYou asked: how many geese?"]
        [answer] = bot.world.said()
        [embed], [file] = answer.embeds, answer.attachments
        assert file["filename"] == "picture.png"
        assert "picture.png" in embed["thumbnail"]["url"]
        assert file["description"] == "ann: how many geese? You asked: how many geese?"


async def test_on_discord_continue_links_to_the_answer_that_it_goes_on_from(tmp_path: Path) -> None:
    async with on_discord(tmp_path, ScriptedEngine(echo, finish="length")) as bot:
        bot.world.asks("tell me all")
        await bot.ends()
        [first] = bot.world.said()
        bot.world.presses(first, "Continue", by=bot.world.ann)
        await bot.ends(2)
        further = bot.world.said()[1]
        assert (further.reference or {})["message_id"] == str(first.id)
        assert further.content.startswith("> **ann**: tell me all\n")


async def test_on_telegram_what_a_press_asks_stands_above_its_answer(tmp_path: Path) -> None:
    async with on_telegram(tmp_path) as telegram:
        group = telegram.world.group()
        telegram.world.managers.add((group, ANN["id"]))
        await telegram.world.say(group, "/demo start")
        await telegram.until(lambda: len(telegram.said(group)) == 5)
        sample = next(each for each in telegram.said(group) if "shapes.circles" in str(each))
        await telegram.world.press(group, sample["message_id"], "/ask sample:shapes.circles", by=BOB | {"language_code": "en"})
        asked = TEXTS.render("en", "sample.shapes.circles")
        await telegram.until(lambda: any(f"You asked: {asked}" in each.get("text", "") for each in telegram.said(group)))
        [answer] = [each for each in telegram.said(group) if f"You asked: {asked}" in each.get("text", "")]
        heading = f"{BOB['first_name']}: {asked}"
        assert answer["text"].startswith(heading)
        assert {each["type"] for each in answer["entities"]} >= {"blockquote", "bold"}


async def test_on_telegram_continue_replies_to_the_answer_that_it_goes_on_from(tmp_path: Path) -> None:
    async with on_telegram(tmp_path, ScriptedEngine(echo, finish="length")) as telegram:
        group = telegram.world.group()
        await telegram.world.say(group, "@gander_bot tell me all")
        await telegram.until(lambda: "/continue" in str(telegram.said(group)))
        [first] = telegram.said(group)
        press = str(first["reply_markup"]).partition("/continue answer_id:")[2].partition("'")[0]
        await telegram.world.press(group, first["message_id"], f"/continue answer_id:{press}")
        await telegram.answers(group, 2)
        further = telegram.said(group)[1]
        assert further["reply_to_message"]["message_id"] == first["message_id"]
        assert further["text"].startswith("Ann: tell me all\n")
