"""Keeps a module's state dict under the names that files have, where the module calls its parts by clearer ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn


def use_stored_names(module: nn.Module, stored: Mapping[str, str]) -> None:
    """`stored` has, for an attribute of `module`, its name in files: `state_dict()` writes that name, `load_state_dict()` reads it."""

    def renamed(state: dict[str, Any], prefix: str, names: Mapping[str, str]) -> None:
        entries = list(state.items())
        state.clear()  # and filled again, so that the order stays
        for key, tensor in entries:
            part, dot, rest = key.removeprefix(prefix).partition(".")
            known = key.startswith(prefix) and bool(dot) and part in names
            state[f"{prefix}{names[part]}.{rest}" if known else key] = tensor

    def save(_: nn.Module, state: dict[str, Any], prefix: str, __: object) -> None:
        renamed(state, prefix, stored)

    def load(_: nn.Module, state: dict[str, Any], prefix: str, *__: object) -> None:
        renamed(state, prefix, {name: attribute for attribute, name in stored.items()})

    module.register_state_dict_post_hook(save)
    module.register_load_state_dict_pre_hook(load)
