"""Three short import names live safely only in an environment of their own: nothing else may own them."""

import re
from importlib.metadata import Distribution, distributions, packages_distributions
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["adapters", "bot", "engine"])
def test_only_gander_owns_the_import_name(name: str) -> None:
    assert set(packages_distributions()[name]) == {"gander"}


# What may be linked and passed on with Apache-2.0. MPL-2.0 is a file's own: hypothesis, certifi, tqdm are used as they are.
PERMISSIVE = re.compile(
    r"\b(MIT|MIT-CMU|BSD|[0-9]-Clause|Apache|ISC|PSF|Python Software Foundation|PSFL|Zlib|HPND|Unlicense|MPL|Mozilla|0BSD|CNRI|LGPLv3"
    r"|Public Domain|CC0|Permission is hereby granted)\b",
    re.IGNORECASE,
)
FORBIDDEN = re.compile(r"\b(A?GPL|GNU (Affero )?General Public)\b", re.IGNORECASE)
EITHER = {"forbiddenfruit"}  # GPL or MIT, as one chooses
OWN = {"gander", "pip", "setuptools", "wheel"}


def licence_of(distribution: Distribution) -> str:
    told = distribution.metadata
    said = [each for name in ("License-Expression", "License") for each in told.get_all(name) or []]
    named = [each for each in told.get_all("Classifier") or [] if each.startswith("License")]
    written = (distribution.read_text("licenses/LICENSE") or "")[:500]  # some say it there alone
    return " ".join(each[:200] for each in (*said, *named)).strip() or written


def pinned() -> set[str]:
    lines = (Path(__file__).parents[1] / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return {line.partition("==")[0].lower().replace("_", "-") for line in lines if line}


def test_what_is_installed_may_be_passed_on() -> None:
    """By the metadata of each pinned package that is installed here."""
    ours = pinned()
    found = {each.name.lower().replace("_", "-"): licence_of(each) for each in distributions()}
    checked = {name: licence for name, licence in found.items() if name in ours - OWN}
    assert len(checked) > 50
    copyleft = {name for name, licence in checked.items() if FORBIDDEN.search(licence)} - EITHER
    assert copyleft == set()
    assert {name: licence for name, licence in checked.items() if not PERMISSIVE.search(licence)} == {}
