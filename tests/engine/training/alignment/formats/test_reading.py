"""Every form of training data gives the same examples, and every bad row is named with its reason."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from engine.errors import DataError
from engine.training.alignment.dataset import BadRow, Dataset, check_pictures
from engine.training.alignment.formats.reading import read_rows

COLOURS = ("red", "green", "blue")


def encoded(colour: str) -> bytes:
    data = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(data, "PNG")
    return data.getvalue()


def pictures(folder: Path) -> None:
    for colour in COLOURS:
        (folder / f"{colour}.png").write_bytes(encoded(colour))


def as_folder(folder: Path) -> Path:
    for colour in COLOURS:
        (folder / f"{colour}.txt").write_text(f"All {colour}.\n")
    return folder


def as_jsonl(folder: Path) -> Path:
    rows = ({"image": f"{colour}.png", "question": "<image>\nWhich colour?", "answer": f"All {colour}."} for colour in COLOURS)
    (folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return folder / "rows.jsonl"


def as_csv(folder: Path) -> Path:
    with (folder / "rows.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("image", "question", "answer"))
        writer.writerows((f"{colour}.png", "Which colour?", f"All {colour}.") for colour in COLOURS)
    return folder / "rows.csv"


def as_llava(folder: Path) -> Path:
    rows = [
        {
            "id": colour,
            "image": f"{colour}.png",
            "conversations": [{"from": "human", "value": "Which colour?\n<image>"}, {"from": "gpt", "value": f"All {colour}."}],
        }
        for colour in COLOURS
    ]
    (folder / "rows.json").write_text(json.dumps(rows))
    return folder / "rows.json"


def as_release(folder: Path) -> Path:
    (folder / "image").mkdir()
    for colour in COLOURS:
        (folder / f"{colour}.png").rename(folder / "image" / f"{colour}.jpg")
    (folder / "filter_cap.json").write_text(json.dumps({"annotations": [{"image_id": c, "caption": f"All {c}."} for c in COLOURS]}))
    return folder


def as_shards(folder: Path) -> Path:
    shards = folder / "shards"
    shards.mkdir()
    with tarfile.open(shards / "000.tar", "w") as shard:
        for colour in COLOURS:
            texts = {"txt": b"ignored", "json": json.dumps({"question": "Which colour?", "answer": f"All {colour}."}).encode()}
            for kind, content in {"png": encoded(colour), **texts}.items():
                member = tarfile.TarInfo(f"a/{colour}.{kind}")
                member.size = len(content)
                shard.addfile(member, io.BytesIO(content))
    return shards


def as_demo(folder: Path) -> Path:
    """As `/demo export` writes it: pictures by their sha256, their bytes in the page beside it."""
    names = {colour: hashlib.sha256(encoded(colour)).hexdigest() for colour in COLOURS}
    answers = [{"label": "0.2", "text": "No idea.", "votes": 1}, {"label": "0.9", "text": "All red.", "votes": 2}]
    records = [
        {"question": "Which colour?", "pictures": [names["red"]], "answers": answers},
        {"question": "Liked?", "pictures": [names["red"]], "answers": [{"label": "", "text": "By nobody.", "votes": 0}]},
        {"question": "Which colour?", "pictures": [names["green"]], "answers": [], "corrected": "All green."},
        {"question": "Which colour?", "pictures": [names["blue"]], "answers": [{"label": "", "text": "All blue.", "votes": 1}]},
    ]
    (folder / "gander-demo-1.jsonl").write_text("\n".join(map(json.dumps, records)))
    inline = (f'<img alt="" src="data:image/png;base64,{base64.b64encode(encoded(colour)).decode()}">' for colour in COLOURS)
    (folder / "gander-demo-1.html").write_text("".join(inline))
    for colour in COLOURS:
        (folder / f"{colour}.png").unlink()
    return folder / "gander-demo-1.jsonl"


@pytest.mark.parametrize("make", [as_folder, as_jsonl, as_csv, as_llava, as_release, as_shards, as_demo])
def test_every_form_gives_the_same_examples(make: Callable[[Path], Path], tmp_path: Path) -> None:
    pictures(tmp_path)
    found = check_pictures(read_rows([make(tmp_path)]))
    assert not found.bad
    question = "" if make in (as_folder, as_release) else "Which colour?"
    said = {example.turns[0][1]: example for example in found.examples}
    assert set(said) == {f"All {colour}." for colour in COLOURS}
    for colour in COLOURS:
        example = said[f"All {colour}."]
        assert example.turns[0][0] == question
        assert example.pictures[0].open().getcolors() == Image.new("RGB", (8, 8), colour).getcolors()
        assert example.row >= 1


BAD: tuple[tuple[object, str], ...] = (
    ({"image": "gone.png", "answer": "x"}, "missing picture"),
    ({"image": "broken.png", "answer": "x"}, "broken picture"),
    ({"image": "red.png", "answer": "  "}, "empty text"),
    ({"image": "red.png", "answer": None}, "empty text"),
    ({"image": "red.png", "question": "", "answer": "x"}, "answer without a question"),
    ({"answer": "x"}, "answer without a question"),
    ({"image": "red.png", "label": "x"}, "wrong columns"),
    ({"image": 3, "answer": "x"}, "wrong column"),
    ({"image": "red.png", "answer": ["x"]}, "wrong column"),
    ({"image": "red.png", "conversations": [{"from": "gpt", "value": "x"}]}, "answer without a question"),
    ({"image": "red.png", "conversations": [{"from": "human", "value": "x"}]}, "question without an answer"),
    ({"image": "red.png", "conversations": [{"from": "dog", "value": "x"}]}, "wrong column"),
    ({"image": "red.png", "conversations": []}, "empty text"),
    ([], "broken line"),
)


def test_bad_rows_are_named_and_refused_or_skipped(tmp_path: Path) -> None:
    pictures(tmp_path)
    (tmp_path / "broken.png").write_bytes(encoded("red")[:40])
    lines = [json.dumps(row) for row, _ in BAD] + ["{not json", json.dumps({"image": "red.png", "question": "q", "answer": "good"})] * 2
    (tmp_path / "rows.jsonl").write_text("\n".join(lines))
    data = check_pictures(read_rows([tmp_path / "rows.jsonl"]))
    assert sorted((row.row, row.reason.partition(":")[0]) for row in data.bad) == [
        *((number, reason) for number, (_, reason) in enumerate(BAD, 1)),
        (len(BAD) + 1, "broken line"),
        (len(BAD) + 3, "broken line"),
    ]
    assert [example.turns for example in data.examples] == [(("q", "good"),)] * 2
    assert [example.row for example in data.repeated] == [len(BAD) + 4]
    with pytest.raises(DataError, match=r"16 of 18 rows can't be used:\n  rows.jsonl, row 1: missing picture: gone.png") as caught:
        data.refuse_bad()
    assert "11 more" not in str(caught.value)
    Dataset(data.examples).refuse_bad()


def test_a_folder_says_what_has_no_partner(tmp_path: Path) -> None:
    pictures(tmp_path)
    as_folder(tmp_path)
    (tmp_path / "red.png").unlink()
    (tmp_path / "blue.txt").write_text(" ")
    (tmp_path / "alone.png").write_bytes(encoded("red"))
    rows = list(read_rows([tmp_path]))
    assert [row.reason.partition(":")[0] for row in rows if isinstance(row, BadRow)] == ["missing text", "empty text", "missing picture"]


def test_a_folder_is_read_with_its_folders_and_nothing_in_it_is_passed_over(tmp_path: Path) -> None:
    pictures(tmp_path)
    as_folder(tmp_path)
    cats = tmp_path / "cats"
    cats.mkdir()
    (cats / "1.PNG").write_bytes(encoded("red"))
    (cats / "1.TXT").write_text("A cat.")
    (tmp_path / "red.jpg").write_bytes(encoded("red"))
    (tmp_path / "labels.csv").write_text("image,answer\nred.png,Red.\n")
    (tmp_path / ".hidden.txt").write_text("x")
    data = check_pictures(read_rows([tmp_path]))
    assert [example.turns[0][1] for example in data.examples] == ["All blue.", "A cat.", "All green."]
    assert [row.reason.partition(":")[0] for row in data.bad] == ["several pictures", "table beside captions"]


def test_a_picture_that_was_copied_is_a_repetition(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / f"{name}.png").write_bytes(encoded("green" if name == "c" else "red"))
        (tmp_path / f"{name}.txt").write_text("Same words.")
    data = check_pictures(read_rows([tmp_path]))
    assert [example.where for example in data.repeated] == [f"{tmp_path.name}/b.png, row 2"]


def test_a_spreadsheets_semicolons_and_rows_with_too_little(tmp_path: Path) -> None:
    pictures(tmp_path)
    (tmp_path / "rows.CSV").write_text("image;question;answer\nred.png;What, then?;Red.\nred.png;What?\n", encoding="utf-8-sig")
    data = check_pictures(read_rows([tmp_path]))
    assert [example.turns for example in data.examples] == [(("What, then?", "Red."),)]
    assert [str(row) for row in data.bad] == ["rows.CSV, row 2: wrong columns: 3 are named, and this row has fewer."]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("rows.csv", "picture,text\na,b\n", "columns picture, text"),
        ("rows.json", "{}", "no list of rows"),
        ("rows.json", "[", "no JSON"),
        ("rows.tar", "no tar", "no tar file"),
        ("rows.xyz", "", "of no form"),
    ],
)
def test_data_of_no_form_is_refused(name: str, content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=words):
        list(read_rows([tmp_path / name]))
    with pytest.raises(DataError, match="does not exist"):
        read_rows([tmp_path / "gone"]).__next__()
