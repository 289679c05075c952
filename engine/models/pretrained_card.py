"""The card of a folder as a hub gives it, made from its own `config.json`, `generation_config.json` and chat template. No torch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from engine.errors import ModelError
from engine.models.card import CARD_NAME, FALLBACK, Card, ChatTemplate, Generation
from engine.models.llama.config import ROPE_TYPES

LONGEST_CONTEXT = 16_384  # tokens: newer bodies allow 128,000 and more, whose pool no single card has room for
DEFAULT_CONTEXT = 2048  # LLaMA's own, where a config leaves it out
MAX_TOKENS = 512
Kind = Literal["idefics3", "internvl", "llava", "llava_next", "llava_onevision", "qwen2_5_vl", "qwen3_vl", "smolvlm"]
# By `model_type`: the text that stands for a picture in the repository's chat template.
PLACEHOLDERS: dict[Kind, str] = {
    "idefics3": "<image>",
    "internvl": "<IMG_CONTEXT>",
    "llava": "<image>",
    "llava_next": "<image>",
    "llava_onevision": "<image>",
    "qwen2_5_vl": "<|image_pad|>",
    "qwen3_vl": "<|image_pad|>",
    "smolvlm": "<image>",
}
PICTURE_TOKENS = ("image_token", "boi_token", "image_placeholder")  # of a fallback's processor: what its chat template may write
PICTURE_IDS = ("image_token_id", "image_token_index", "boi_token_id", "boi_token_index")  # the same, by their ids
BODIES = ("llama", "mistral", "qwen2", "qwen3", "qwen2_5_vl_text", "qwen3_vl_text")  # of the language half, by its own `model_type`


def is_pretrained(folder: Path) -> bool:
    """Whether it looks like a repository of a hub: weights beside a `config.json` that says what they are."""
    return (folder / "config.json").is_file()


def pretrained_card(folder: Path) -> Card:
    """Raises ModelError that says what the folder is, where it is none of the architectures that are computed here."""
    config = read_json(folder / "config.json")
    kind = check_kind(str(folder), config)
    if kind == FALLBACK:
        return fallback_card(folder, config)
    return Card(
        name=repository_name(folder),
        architecture=kind,
        context_length=context_length(config.get("text_config") or config),  # Qwen2.5-VL's on the hub has all in one
        quantization="q4_1",  # on a CPU; a GPU takes the most exact that fits
        template=chat_template(folder, PLACEHOLDERS[kind]),
        generation=generation(folder),
    )


def fallback_card(folder: Path, config: dict[str, Any]) -> Card:
    """Of a type that transformers computes for us; `version` names it."""
    text = config.get("text_config") or config
    return Card(
        name=repository_name(folder),
        architecture=FALLBACK,
        version=str(config["model_type"]),
        context_length=min(text.get("max_position_embeddings") or LONGEST_CONTEXT, LONGEST_CONTEXT),
        template=chat_template(folder, fallback_placeholder(folder, config)),
        generation=generation(folder),
    )


def check_kind(where: str, config: dict[str, Any]) -> Kind | Literal["fallback"]:
    """The architecture that a `config.json` names: a family of ours, or one that transformers computes.

    Raises ModelError that names `where` it came from.
    """
    kind, body = config.get("model_type"), (config.get("text_config") or {}).get("model_type", "llama")
    if stored := (config.get("quantization_config") or {}).get("quant_method"):
        raise ModelError(
            f"{where} is stored quantised ({stored}), which is not read here. Take the repository with its makers' own weights: they are "
            "quantised while they are loaded."
        )
    found = next((known for known in PLACEHOLDERS if known == kind), None)
    if found is not None and body in BODIES and rope_type(config.get("text_config") or {}) in (*ROPE_TYPES, "mrope"):
        return found
    if kind in known_to_transformers():
        return FALLBACK
    raise ModelError(
        f"{where} is a model of type {kind!r}, which neither this engine nor the transformers here knows: it is newer than both, or wants "
        "code of its own, which is never run. `gander model list --all` shows models that are known; a newer Gander may know this one."
    )


def rope_type(text: dict[str, Any]) -> str:
    """How a language model's rotary embeddings are stretched; what is not computed here, such as LongRoPE, transformers computes."""
    rope = text.get("rope_parameters") or text.get("rope_scaling") or {}
    return str(rope.get("rope_type") or rope.get("type") or "default")


def known_to_transformers() -> frozenset[str]:
    """The types that it computes from pictures and words, without code from a repository."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES as NAMES  # costs a second

    return frozenset(NAMES)


def fallback_placeholder(folder: Path, config: dict[str, Any]) -> str:
    """What the chat template writes for a picture. Raises ModelError where it speaks of none."""
    jinja, names = stored_jinja(folder) or "", dict[str, Any]()
    for path in (folder / "processor_config.json", folder / "tokenizer_config.json"):
        values = read_json(path) if path.is_file() else {}
        extra = values.get("extra_special_tokens")
        names |= values | (extra if isinstance(extra, dict) else {})
    named = [spelt(names[name]) for name in PICTURE_TOKENS if names.get(name)]
    found = [token for token in (*named, *picture_tokens(folder, config)) if token in jinja]
    if not found and jinja:
        raise ModelError(f"{folder}: its chat template shows no pictures, so that there is nothing to ask it. Choose another repository.")
    return found[0] if found else ""


def picture_tokens(folder: Path, config: dict[str, Any]) -> list[str]:
    """By the ids that its config names."""
    path = folder / "tokenizer.json"
    added = (read_json(path).get("added_tokens") or []) if path.is_file() else []
    spelling = {token["id"]: str(token["content"]) for token in added}
    return [spelling[config[name]] for name in PICTURE_IDS if config.get(name) in spelling]


def repository_name(folder: Path) -> str:
    """The folder's, or where it lies in a hub's cache (`models--owner--name/snapshots/commit`) the repository's."""
    cached = folder.resolve()
    return cached.parents[1].name.rpartition("--")[2] if cached.parent.name == "snapshots" else folder.name


def context_length(text: dict[str, Any]) -> int:
    """Tokens; of a body with a sliding window no more than the window, within which it attends to everything."""
    whole = text.get("max_position_embeddings") or DEFAULT_CONTEXT
    return min(whole, LONGEST_CONTEXT, text.get("sliding_window") or whole)


def stated_dtype(folder: Path) -> str | None:
    """The type that a hub's repository says it is to be computed in, such as `bfloat16`."""
    if (folder / CARD_NAME).is_file() or not is_pretrained(folder):
        return None
    config = read_json(folder / "config.json")
    stated = (found.get(name) for found in (config, config.get("text_config") or {}) for name in ("dtype", "torch_dtype"))
    return next((str(dtype) for dtype in stated if dtype), None)


def chat_template(folder: Path, placeholder: str) -> ChatTemplate:
    """The repository's own. Raises ModelError where it has none: what it was trained to be asked like is not to be guessed."""
    jinja = stored_jinja(folder)
    if jinja is None:
        raise ModelError(f"{folder} has no chat template, so nobody knows how to speak to it. Take a repository that was made for chats.")
    names = read_json(folder / "tokenizer_config.json")
    tokens = {name: spelt(names[name]) for name in ("bos_token", "eos_token", "pad_token", "unk_token") if names.get(name)}
    return ChatTemplate(jinja=jinja, placeholder=placeholder, tokens=tuple(tokens.items()))


def stored_jinja(folder: Path) -> str | None:
    """From a file of its own, where newer repositories have it, or from within one of three others."""
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    files = (folder / name for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"))
    found = (read_json(path).get("chat_template") for path in files if path.is_file())
    return next((template for template in found if isinstance(template, str)), None)


def generation(folder: Path) -> Generation:
    """Its makers' defaults; greedy where they name none."""
    path = folder / "generation_config.json"
    values = read_json(path) if path.is_file() else {}
    if not values.get("do_sample"):
        return Generation(temperature=0.0, max_tokens=MAX_TOKENS)
    return Generation(
        temperature=values.get("temperature") or 1.0,
        top_p=values.get("top_p") or 1.0,
        top_k=values.get("top_k") or 0,
        repetition_penalty=values.get("repetition_penalty") or 1.0,
        max_tokens=MAX_TOKENS,
    )


def read_json(path: Path) -> dict[str, Any]:
    """Raises ModelError that names the file."""
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ModelError(f"{path} is missing. Fetch the model again.") from None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} can't be read: {error}. Fetch the model again.") from None
    if not isinstance(values, dict):
        raise ModelError(f"{path} holds no object. Fetch the model again.")
    return values


def spelt(token: Any) -> str:
    """A token as `tokenizer_config.json` writes it: text, or an object with `content`."""
    return str(token["content"]) if isinstance(token, dict) else str(token)
