"""The vision half's weights under the names of transformers' BLIP-2, from the release's files or from its Hugging Face copy."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from engine.errors import WeightsError
from engine.layers.quantization import Slot
from engine.models.pretrained_card import read_json
from engine.weights.shards import Conversion
from engine.weights.stored_tensors import StoredTensor, open_folder, open_weights
from engine.weights.weight_files import VISION_PREFIXES

VIT_NAMES = (
    (r"cls_token", r"embeddings.class_embedding"),
    (r"pos_embed", r"embeddings.position_embedding"),
    (r"patch_embed\.proj\.(.+)", r"embeddings.patch_embedding.\1"),
    (r"blocks\.(\d+)\.norm([12])\.(.+)", r"encoder.layers.\1.layer_norm\2.\3"),
    (r"blocks\.(\d+)\.attn\.qkv\.(.+)", r"encoder.layers.\1.self_attn.qkv.\2"),
    (r"blocks\.(\d+)\.attn\.(q_bias|v_bias)", r"encoder.layers.\1.self_attn.\2"),
    (r"blocks\.(\d+)\.attn\.proj\.(.+)", r"encoder.layers.\1.self_attn.projection.\2"),
    (r"blocks\.(\d+)\.mlp\.(.+)", r"encoder.layers.\1.mlp.\2"),
)
BLIP2_NAMES = (
    (r"query_tokens", r"query_tokens"),
    (r"ln_vision\.(.+)", r"vision_model.post_layernorm.\1"),
    (r"Qformer\.bert\.embeddings\.LayerNorm\.(.+)", r"qformer.layernorm.\1"),
    (r"Qformer\.bert\.(encoder\.layer\.\d+\.(?:cross)?attention)\.self\.(.+)", r"qformer.\1.attention.\2"),
    (r"Qformer\.bert\.(encoder\..+)", r"qformer.\1"),
)
Tensors = Mapping[str, StoredTensor]
OTHERS = {"opt_proj": "OPT", "llm_proj": "Vicuna (InstructBLIP)", "vision_proj": "no language model (its first stage)"}
T5_XL = 2048  # width of the smaller T5; the release's Q-Former was trained with flan-t5-xxl, 4096 wide


def open_vision_encoder(vit: Path | None, blip2: Path | None) -> dict[str, StoredTensor]:
    """The tensors of the ViT, its last norm, the Q-Former and its queries, renamed. `blip2` may be the Hugging Face folder of all.

    Raises WeightsError that names the option to change.
    """
    if blip2 is None:
        raise WeightsError("MiniGPT-4 with Vicuna has BLIP-2's Q-Former: give blip2_pretrained_flant5xxl.pth as --blip2.")
    if blip2.is_dir():
        if vit is not None:
            raise WeightsError(
                f"{blip2} is a folder, which holds the whole vision encoder: leave --vit out, or give blip2_pretrained_flant5xxl.pth."
            )
        check_blip2_folder(blip2)
        return open_folder(blip2, lambda name: name.startswith(VISION_PREFIXES))
    if vit is None:
        raise WeightsError(
            f"{blip2} holds half of the vision encoder: give eva_vit_g.pth as --vit, or a copy of Salesforce/blip2-flan-t5-xxl as --blip2."
        )
    qformer = open_weights(blip2)
    check_blip2(blip2, qformer)
    return renamed_vit(open_weights(vit)) | renamed(qformer, BLIP2_NAMES)


def open_eye(vit: Path | None, blip2: Path | None) -> dict[str, StoredTensor]:
    """The ViT alone, as the successors without a Q-Former use it, from its own file or from BLIP-2's repository.

    Their release never loads BLIP-2's last norm: it stays at 1 and 0, unless a checkpoint trained it. Raises WeightsError.
    """
    if vit is not None:
        return renamed_vit(open_weights(vit))
    if blip2 is None or not blip2.is_dir():
        raise WeightsError(
            "This model sees by EVA ViT-g: give eva_vit_g.pth as --vit, or a copy of Salesforce/blip2-flan-t5-xxl as --blip2."
        )
    check_blip2_folder(blip2)
    return open_folder(blip2, lambda name: name.startswith("vision_model.") and "post_layernorm" not in name)


def trained_with(checkpoint: Path) -> dict[str, StoredTensor]:
    """What a checkpoint of MiniGPT-4 has of the vision encoder besides its projection: it replaces the originals, as in the release."""
    tensors = open_weights(checkpoint)
    prefix = "visual_encoder."
    vit = {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    return renamed_vit(vit) | renamed(tensors, BLIP2_NAMES)


def renamed_vit(tensors: Tensors) -> dict[str, StoredTensor]:
    return {f"vision_model.{name}": tensor for name, tensor in renamed(tensors, VIT_NAMES).items()}


def check_blip2(file: Path, tensors: Tensors) -> None:
    """Raises WeightsError for the Q-Former of another BLIP-2: it has the same shapes and other weights."""
    small = "t5_proj.weight" in tensors and tensors["t5_proj.weight"].shape[0] == T5_XL
    other = "flan-t5-xl" if small else next((made for part, made in OTHERS.items() if f"{part}.weight" in tensors), None)
    if other:
        raise WeightsError(f"{file} is the Q-Former of BLIP-2 with {other}. MiniGPT-4 wants blip2_pretrained_flant5xxl.pth as --blip2.")


def check_blip2_folder(folder: Path) -> None:
    """The same by a repository's `config.json`, where it has one."""
    path = folder / "config.json"
    config = read_json(path) if path.is_file() else {}
    text, kind = config.get("text_config") or {}, config.get("model_type", "blip-2")
    if kind != "blip-2" or text.get("model_type", "t5") != "t5" or text.get("d_model") == T5_XL:
        made = text.get("_name_or_path") or text.get("model_type")
        raise WeightsError(
            f"{folder} is of type {kind} with the language model {made}: not the one wanted. Give Salesforce/blip2-flan-t5-xxl as --blip2."
        )


def renamed(tensors: Tensors, rules: tuple[tuple[str, str], ...]) -> dict[str, StoredTensor]:
    """Each name by the first rule that fits it whole; what fits none (heads, text embeddings) is not used."""
    result = {}
    for name, tensor in tensors.items():
        rule = next(((pattern, new) for pattern, new in rules if re.fullmatch(pattern, name)), None)
        if rule:
            result[re.sub(*rule, name)] = tensor
    return result


def vision_conversion(name: str, shape: tuple[int, ...], tensors: Tensors, vit: Path | None, blip2: Path) -> Conversion:
    """The way of one of the model's parameters into the folder. Raises WeightsError that names the file at fault."""
    file = vit if vit and name.startswith("vision_model.") and "post_layernorm" not in name else blip2
    if name.endswith("self_attn.qkv.bias") and name not in tensors:
        attention = name.removesuffix("qkv.bias")
        q, v = (found(tensors, attention + part, (shape[0] // 3,), file) for part in ("q_bias", "v_bias"))
        return Conversion({name: Slot(q.dtype, shape)}, lambda: {name: qkv_bias(q.read(), v.read())}, (q, v))
    return copy_conversion(name, found(tensors, name, shape, file))


def eye_conversion(name: str, shape: tuple[int, ...], tensors: Tensors, file: Path) -> Conversion:
    """The same where there is no Q-Former: the last norm may be new, and the positions are for the pixels that the model looks at."""
    stored = tensors.get(name)
    if stored is None and ".post_layernorm." in name:
        fresh = torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
        return Conversion({name: Slot(fresh.dtype, shape)}, lambda: {name: fresh}, ())
    if stored is not None and name.endswith(".position_embedding") and stored.shape != shape and is_square(stored.shape):
        side = math.isqrt(shape[1] - 1)
        return Conversion({name: Slot(torch.float32, shape)}, lambda: {name: stretched(stored.read(), side)}, (stored,))
    return vision_conversion(name, shape, tensors, file, file)


def is_square(shape: tuple[int, ...]) -> bool:
    """Whether [1, 1 + patches, width] are the positions of CLS and of a square of patches."""
    return len(shape) == 3 and math.isqrt(shape[1] - 1) ** 2 == shape[1] - 1


def stretched(positions: Tensor, side: int) -> Tensor:
    """Positions [1, 1 + patches, width] of CLS and a square of patches → of `side` × `side` patches, bicubic, in fp32; CLS's stays."""
    before = math.isqrt(positions.shape[1] - 1)
    grid = positions[:, 1:].float().unflatten(1, (before, before)).permute(0, 3, 1, 2)
    grown = interpolate(grid, size=(side, side), mode="bicubic", align_corners=False)
    return torch.cat((positions[:, :1].float(), grown.permute(0, 2, 3, 1).flatten(1, 2)), dim=1)


def copy_conversion(name: str, tensor: StoredTensor) -> Conversion:
    """The parameter as it is, in the precision of its file."""
    return Conversion({name: Slot(tensor.dtype, tensor.shape)}, lambda: {name: tensor.read()}, (tensor,))


def qkv_bias(query: Tensor, value: Tensor) -> Tensor:
    """EVA gives queries and values a bias of their own and keys none: [width] twice → [3 · width]."""
    return torch.cat((query, torch.zeros_like(value), value))


def found(tensors: Tensors, name: str, shape: tuple[int, ...], file: Path) -> StoredTensor:
    tensor = tensors.get(name)
    if tensor is None:
        raise WeightsError(
            f"{file} lacks {name}: it is unfinished, or another file than its option means (--vit, --blip2 and --checkpoint have one each)."
        )
    if tensor.shape != shape:
        raise WeightsError(
            f"{file} has {name} of shape {list(tensor.shape)}, expected {list(shape)}. Is it the file for these sizes (--architecture)?"
        )
    return tensor
