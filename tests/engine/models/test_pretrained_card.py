"""What a folder from a hub is, by its small files alone; what it is not is said in a sentence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import ModelError
from engine.models.card_reader import read_card
from engine.models.pretrained_card import check_kind

CHAT = "{% for m in messages %}{{ m['content'] }}<picture>{% endfor %}"


def folder_of(folder: Path, config: dict[str, object], template: str | None = CHAT) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps({"image_token": "<picture>"}))
    if template is not None:
        (folder / "chat_template.jinja").write_text(template)
    return folder


def test_a_type_that_transformers_knows_is_a_fallback(tmp_path: Path) -> None:
    card = read_card(folder_of(tmp_path, {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text"}}))
    assert (card.kind, card.template.model_dump()["placeholder"]) == ("gemma3 (fallback)", "<picture>")


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"model_type": "llava", "text_config": {"model_type": "llama"}}, "llava"),
        ({"model_type": "llava", "text_config": {"model_type": "gemma"}}, "fallback"),
        ({"model_type": "internvl", "text_config": {"model_type": "qwen3_moe"}}, "fallback"),
        ({"model_type": "internvl", "text_config": {"model_type": "qwen3", "rope_scaling": {"type": "longrope"}}}, "fallback"),
        ({"model_type": "internvl", "text_config": {"model_type": "qwen3", "rope_scaling": {"type": "yarn"}}}, "internvl"),
        ({"model_type": "qwen2_5_vl", "text_config": {"model_type": "qwen2_5_vl_text", "rope_scaling": {"type": "mrope"}}}, "qwen2_5_vl"),
    ],
)
def test_a_family_whose_language_model_is_not_ours_is_a_fallback(config: dict[str, object], expected: str) -> None:
    assert check_kind("here", config) == expected


@pytest.mark.parametrize(
    ("config", "template", "words"),
    [
        ({"model_type": "marvel"}, CHAT, "of type 'marvel', which neither this engine nor the transformers here knows"),
        ({"model_type": "marvel", "auto_map": {}}, CHAT, "code of its own, which is never run"),
        ({"model_type": "gemma3", "quantization_config": {"quant_method": "awq"}}, CHAT, r"stored quantised \(awq\)"),
        ({"model_type": "gemma3"}, None, "has no chat template"),
        ({"model_type": "gemma3"}, "{{ messages }}", "chat template shows no pictures"),
    ],
)
def test_what_it_is_not_is_said(config: dict[str, object], template: str | None, words: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=words):
        read_card(folder_of(tmp_path, config, template))


def test_a_gguf_is_named(tmp_path: Path) -> None:
    (tmp_path / "tiny-q4.gguf").write_bytes(b"GGUF")
    for path in (tmp_path, tmp_path / "tiny-q4.gguf"):
        with pytest.raises(ModelError, match=r"GGUF.*llama\.cpp.*safetensors"):
            read_card(path)
