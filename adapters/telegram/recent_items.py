"""A memory that forgets the oldest: for what is looked up soon after it happened, or not at all."""

from __future__ import annotations

from collections import OrderedDict
from typing import TypeVar

KEPT = 1_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class RecentItems(OrderedDict[Key, Value]):
    """The newest `KEPT` entries."""

    def __setitem__(self, key: Key, value: Value) -> None:
        super().__setitem__(key, value)
        while len(self) > KEPT:
            self.popitem(last=False)
