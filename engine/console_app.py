"""A command line whose help shows no value for options that take none: typer writes `<bool>` at each, its own `--help` too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption


def _without_values(params: list[Any]) -> list[Any]:
    for param in params:
        if isinstance(param, TyperOption) and param.is_bool_flag and param.metavar is None:
            param.metavar = ""
    return params


class _Command(TyperCommand):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_values(super().get_params(ctx))


class ConsoleGroup(TyperGroup):
    def get_params(self, ctx: Any) -> list[Any]:
        return _without_values(super().get_params(ctx))


class ConsoleApp(typer.Typer):
    """typer.Typer, of the same options."""

    def __init__(self, *, cls: type[ConsoleGroup] = ConsoleGroup, **options: Any) -> None:
        super().__init__(cls=cls, **options)

    def command(self, name: str | None = None, **options: Any) -> Callable[[Any], Any]:
        """Adds a command; a decorator as typer's own."""
        return super().command(name, cls=_Command, **options)
