"""Three short import names live safely only in an environment of their own: nothing else may own them."""

from importlib.metadata import packages_distributions

import pytest


@pytest.mark.parametrize("name", ["adapters", "bot", "engine"])
def test_only_gander_owns_the_import_name(name: str) -> None:
    assert set(packages_distributions()[name]) == {"gander"}
