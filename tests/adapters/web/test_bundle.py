"""One script is made of the page's modules, or it is refused."""

from __future__ import annotations

import re

import pytest

from adapters.web.bundle import BundleError, bundle


def test_modules_become_one_script_in_the_order_of_their_imports() -> None:
    modules = {
        "app.js": 'import * as words from "./words.js";\nimport { loud as louder } from "./x.js";\n'
        + 'import goose from "./vendor/goose.js";\nimport "./vendor/side.js";\nconsole.log(words.say(louder), goose);\n',
        "words.js": 'import { LOUD } from "./x.js";\nexport const say = (word) => word + LOUD;\n',
        "x.js": 'export const LOUD = "!";\nconst quiet = 1;\nexport { LOUD as loud };\n',
        "vendor/goose.js": "var a = 2;\nexport { a as default };\n",
        "vendor/side.js": "globalThis.side = 1;\n",
    }
    script = bundle("app.js", modules)
    assert not re.search(r"^(import|export)\b", script, re.MULTILINE)
    assert script.index("const $x =") < script.index("const $words =") < script.index("const $vendor_goose =")
    assert script.count("const quiet") == 1
    assert script.rstrip().endswith("console.log(words.say(louder), goose);")


@pytest.mark.parametrize("source", ["export let x = 1;", "export default 3;", 'import x, { y } from "./b.js";', 'export * from "./b.js";'])
def test_what_the_bundle_does_not_know_is_refused_and_not_served(source: str) -> None:
    with pytest.raises(BundleError, match=r"a\.js"):
        bundle("app.js", {"app.js": 'import "./a.js";\n', "a.js": f"{source}\n", "b.js": ""})


def test_modules_that_import_each_other_are_refused() -> None:
    with pytest.raises(BundleError, match="imports itself"):
        bundle("a.js", {"a.js": 'import "./b.js";\n', "b.js": 'import "./a.js";\n'})
