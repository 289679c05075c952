"""Names the builder of an engine of transformers' own for whoever serves one, without importing torch before it is called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.core.startup import Built


def fallback(*given: Any) -> Built:
    """An engine of transformers' own. Imports torch, which the server does not wait for."""
    from engine.fallback.build import build_fallback

    return build_fallback(*given)
