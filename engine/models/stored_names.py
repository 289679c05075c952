"""Keeps a module's state dict under the names that files have, where the module calls its parts by clearer ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn


def use_stored_names(module: nn.Module, stored: Mapping[str, str]) -> None:
    """`stored` has, for a part or parameter of `module`, its path in files (`layers`: `encoder.layers`): `state_dict()` writes that path,
    `load_state_dict()` reads it.
    """

    def renamed(state: dict[str, Any], prefix: str, names: Mapping[str, str]) -> None:
        entries = list(state.items())
        state.clear()  # and filled again, so that the order stays
        for key, tensor in entries:
            own = key.removeprefix(prefix) if key.startswith(prefix) else ""
            name = next((name for name in names if own == name or own.startswith(f"{name}.")), None)
            state[key if name is None else prefix + names[name] + own.removeprefix(name)] = tensor

    def save(_: nn.Module, state: dict[str, Any], prefix: str, __: object) -> None:
        renamed(state, prefix, stored)

    def load(_: nn.Module, state: dict[str, Any], prefix: str, *__: object) -> None:
        renamed(state, prefix, {name: attribute for attribute, name in stored.items()})

    module.register_state_dict_post_hook(save)
    module.register_load_state_dict_pre_hook(load)
