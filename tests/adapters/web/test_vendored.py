"""The libraries that the page serves are the ones that their table names, each with its licence."""

from __future__ import annotations

import hashlib
import re

from adapters.web.assets import STATIC


def test_the_libraries_are_those_that_their_table_names() -> None:
    folder = STATIC / "vendor"
    rows = re.findall(r"^\| (\S+) \|.*\(licenses/(\S+)\) \| ([0-9a-f]{64}) \|$", (folder / "README.md").read_text(), re.MULTILINE)
    assert {name: sha256 for name, _, sha256 in rows} == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.js")
    }
    assert all((folder / "licenses" / licence).is_file() for _, licence, _ in rows)
