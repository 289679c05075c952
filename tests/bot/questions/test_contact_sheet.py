"""The sheet of pictures that somebody may mean: a tile for each, and nothing on it that was hidden."""

from __future__ import annotations

from pathlib import Path

from tests.bot.questions.album import BROWN, WHITE, Album, bot, show
from tests.bot.questions.test_delete import ANN, CHANNEL, forget


async def test_the_sheet_goes_with_the_choice_or_with_whose_pictures_it_shows(database_url: str, tmp_path: Path) -> None:
    chat = Album()
    async with bot(database_url, tmp_path, chat) as rig:
        await show(rig, chat.shown("a", WHITE), chat.shown("b", WHITE))
        await rig.say("what is this?", author=ANN, place=CHANNEL)
        await rig.finals(1)
        [offer] = chat.messages.values()
        assert [each.exists() for each in offer.files] == [True]
        assert offer.alt == "\n".join(action.label for action in offer.actions)
        await forget(rig, ANN)
        assert not offer.files[0].exists()


async def test_a_hidden_picture_is_not_shown_on_the_sheet(database_url: str, tmp_path: Path) -> None:
    chat = Album()
    async with bot(database_url, tmp_path, chat) as rig:
        for name in ("a", "b"):
            await show(rig, chat.shown(name, BROWN, spoiler=True))
        await rig.say("what is this?", author=ANN, place=CHANNEL)
        await rig.finals(1)
        [offer] = chat.messages.values()
        assert offer.files == ()
        assert len(offer.actions) == 2
