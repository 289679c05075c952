"""What the documents say is there: links lead somewhere, commands exist, and both READMEs give the same ones."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bot.config.schema import Config

ROOT = Path(__file__).parent.parent
PAGES = (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*.md"))
READMES = ("README.md", "README.zh-CN.md")


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def typed(text: str) -> list[str]:
    """The lines of indented code, without remarks."""
    return [line.split(" # ")[0].strip() for line in re.findall(r"^ {4}(.+)$", text, flags=re.MULTILINE)]


def steps(text: str) -> list[str]:
    """What each numbered step tells to type or to press, step after step; in no order within one, which is the language's."""
    numbered = re.findall(r"^\d\. .+(?:\n {3}.+)*", text, flags=re.MULTILINE)
    return [" ".join(sorted(re.findall(r"`[^`]+`|https?://[^)\s]+", step))) for step in numbered]


def anchors(text: str) -> set[str]:
    """Headings as GitHub links to them."""
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def test_the_lifecycle_names_files_and_functions_that_exist() -> None:
    text = read("docs/lifecycle.md")
    named = set(re.findall(r"`([\w/]+\.py)`", text))
    files = {name: [path for folder in ("", "bot", "engine") if (path := ROOT / folder / name).is_file()] for name in named}
    assert not [name for name, found in files.items() if not found]
    code = "\n".join(path.read_text("utf-8") for found in files.values() for path in found)
    known = set(re.findall(r"\w+", code)) | {path.stem for found in files.values() for path in found}
    dotted = {part for name in re.findall(r"`([A-Za-z_][\w.]*)`", text) if not name.endswith(".py") for part in name.split(".")}
    assert not {part for part in dotted if "_" in part or part[0].isupper()} - known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = page.read_text("utf-8")
    for target in re.findall(r"\]\((?!https?://)([^)\s]+)\)", text):
        name, _, heading = target.partition("#")
        file = page.parent / name if name else page
        assert file.exists(), target
        assert not heading or heading in anchors(file.read_text("utf-8")), target


def guarantees() -> list[tuple[str, list[tuple[str, str]]]]:
    """The lines of the table of guarantees: their words, and the file and test of each mark."""
    lines = [line for line in read("docs/guarantees.md").splitlines() if line.startswith("| ") and not line.startswith("| |")]
    return [(line.split("|")[1].strip(), re.findall(r'\[✓\]\(\.\./(\S+) "(\w+)"\)', line)) for line in lines]


@pytest.mark.parametrize(("words", "tests"), guarantees())
def test_every_guarantee_has_tests_that_exist(words: str, tests: list[tuple[str, str]]) -> None:
    assert tests
    for file, name in tests:
        defined = {node.name for node in ast.walk(ast.parse(read(file))) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        assert name in defined, f"{words}: {file}::{name}"


def test_every_mark_among_the_guarantees_is_read() -> None:
    marks = read("docs/guarantees.md").count("✓")
    assert marks == sum(len(tests) for _, tests in guarantees()) > 80


def test_both_readmes_give_the_same_commands() -> None:
    english, chinese = map(read, READMES)
    assert len(typed(english)) > 10
    assert typed(chinese) == typed(english)


def test_both_readmes_set_platforms_up_by_the_same_steps() -> None:
    english, chinese = map(read, READMES)
    assert len(steps(english)) == 8 + 6  # Discord's and Telegram's
    assert steps(chinese) == steps(english)


def test_the_two_commands_come_first() -> None:
    for name in READMES:
        assert [line.split("  ")[0] for line in typed(read(name))[:2]] == ["make demo", "make test"]


def test_commands_of_the_documents_exist() -> None:
    text = "\n".join(page.read_text("utf-8") for page in PAGES)
    named = set(re.findall(r"(?:^ {4}(?:.*/)?|`)gander ([a-z]+)", text, flags=re.MULTILINE))
    assert {"run", "model", "discord"} <= named <= set(help_of().split())
    assert set(re.findall(r"`gander model ([a-z]+)", text)) <= set(help_of("model").split())
    assert set(re.findall(r"`make ([a-z]+)", text)) <= set(re.findall(r"^(\w+):", read("Makefile"), flags=re.MULTILINE))


def help_of(*command: str) -> str:
    said = subprocess.run([sys.executable, "-P", "-m", "adapters", *command, "--help"], capture_output=True, text=True, check=True)
    return said.stdout


def test_options_of_the_documents_exist() -> None:
    for page in (ROOT / "docs").glob("*.md"):
        for section, name in re.findall(r"`(\w+)\.(\w+)(?: = [^`]+)?`", page.read_text("utf-8")):
            options = Config.model_fields.get(section)
            if options is not None:
                assert name in getattr(options.annotation, "model_fields", {}) or section == "settings", f"{page.name}: {section}.{name}"
