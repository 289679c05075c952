"""aiogram's models of the Bot API, each made ready when it is first used: all of them together take five seconds of a processor's time."""

from __future__ import annotations

import typing
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel

if TYPE_CHECKING:
    from aiogram.methods import TelegramMethod


@contextmanager
def _later() -> Iterator[None]:
    """Models that are declared meanwhile are not made ready, and need not be sound yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BaseModel.model_config, "defer_build", True)
        patch.setattr(BaseModel, "model_rebuild", classmethod(lambda _, **__: None))
        yield


@cache
def module(name: str) -> ModuleType:
    """`types` or `methods`."""
    with _later():
        return import_module(f"aiogram.{name}")


@cache
def names() -> Mapping[str, Any]:
    """What annotations of models may name."""
    return {"Optional": typing.Optional, "Union": typing.Union, "Literal": typing.Literal, "Bot": Any, **vars(module("types"))}


@cache
def method(name: str) -> type[TelegramMethod[Any]]:
    """The model of a method's parameters, by the method's name at Telegram."""
    model: type[TelegramMethod[Any]] = getattr(module("methods"), name[0].upper() + name[1:])
    model.model_rebuild(_types_namespace=names())
    return model


@cache
def hints(model: type[BaseModel]) -> Mapping[str, Any]:
    """The types of a model's fields."""
    return typing.get_type_hints(model, localns=dict(names()))
