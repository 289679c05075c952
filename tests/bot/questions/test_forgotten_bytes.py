"""What was forgotten stands in no file any more, while the bot runs; and what stands there is for its own user alone."""

from __future__ import annotations

from pathlib import Path

from bot.message import Author
from tests.bot import postgres
from tests.bot.rig import GOOSE, Rig, attachment, message
from tests.bot.samples import ANN, PLACE

PLANTED = "plantedsecret"
BEN = Author("web", "2", "Ben")


def files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def holding(home: Path, what: bytes) -> list[str]:
    return [path.name for path in files(home) if what in path.read_bytes()]


async def test_what_was_forgotten_is_in_no_file(rig: Rig, tmp_path: Path) -> None:
    demo = await rig.core.demos.start(message("d1", author=ANN), f"What {PLANTED} is it?", 0.0, "en")
    for number in range(30):  # over several pages
        await rig.say(f"{PLANTED} {number} " + "goose " * 100, attachments=(attachment(GOOSE),) if number == 0 else ())
        await rig.finals(number + 1)
    await rig.say("Mine stays", author=BEN)
    await rig.finals(31)
    [shown] = [path for path in (tmp_path / "pictures").rglob("*") if path.is_file()]
    encoded = tmp_path / "engine" / "pictures" / "pocket-0" / f"{shown.name}.safetensors"
    encoded.parent.mkdir(parents=True)
    encoded.write_text(f"a {PLANTED}")
    others = encoded.with_name(f"{'0' * 64}.safetensors")
    others.write_text("a duck")
    await rig.core.demos.export(demo)
    kept = 3 if postgres.INSTEAD else 4  # both exports, what the engine keeps, and the database or its log where that is a file here
    assert len(holding(tmp_path, PLANTED.encode())) >= kept

    await rig.core.actions.forget(message("f1", author=ANN))

    assert holding(tmp_path, PLANTED.encode()) == []
    assert not shown.exists()
    assert others.exists()
    assert rig.core.demos.running(PLACE) is None
    assert [said.text for said in await rig.core.history(PLACE) if said.role == "user"] == ["Mine stays"]


async def test_files_are_for_the_bots_own_user_alone(rig: Rig, tmp_path: Path) -> None:
    demo = await rig.core.demos.start(message("d1", author=ANN), "What is it?", 0.0, "en")
    await rig.say("Which?", attachments=(attachment(GOOSE),))
    await rig.finals(1)
    await rig.core.demos.export(demo)
    kept = files(tmp_path)
    assert {path.suffix for path in kept} >= {".html", ".jsonl", *(() if postgres.INSTEAD else (".db", ".db-wal"))}
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in kept} == {path.name: "0o600" for path in kept}
