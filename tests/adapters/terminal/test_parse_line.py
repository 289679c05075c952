"""Every way in which a terminal writes a dragged or pasted file, told apart from words."""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.terminal.parse_line import Typed, understand


@pytest.fixture
def goose(tmp_path: Path) -> Path:
    path = tmp_path / "my goose (1).png"
    path.write_bytes(b"")
    return path


def escaped(path: Path) -> str:
    return "".join(f"\\{letter}" if letter in " ()'" else letter for letter in str(path))


def test_a_quoted_path(goose: Path) -> None:
    assert understand(f"'{goose}' what's this?") == Typed("what's this?", (goose,))
    assert understand(f'what\'s this? "{goose}"') == Typed("what's this?", (goose,))


def test_an_escaped_path(goose: Path) -> None:
    assert understand(f"{escaped(goose)} what's this?") == Typed("what's this?", (goose,))


def test_a_path_with_bare_spaces_alone_on_its_line(goose: Path) -> None:
    assert understand(f"{goose} ") == Typed("", (goose,))


def test_a_file_address(goose: Path) -> None:
    assert understand(f"{goose.as_uri()} what is this?") == Typed("what is this?", (goose,))


def test_several_pictures_around_the_words(goose: Path, tmp_path: Path) -> None:
    other = tmp_path / "b.jpg"
    other.write_bytes(b"")
    assert understand(f"compare {other} with '{goose}' please") == Typed("compare with please", (other, goose))


def test_a_path_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "a.png").write_bytes(b"")
    assert understand("~/a.png hm").pictures == (tmp_path / "a.png",)


@pytest.mark.parametrize(
    "line",
    [
        "What's this? It isn't a file.",
        "/temperature 0.7",
        "and/or?",
        "a.b",
        "1/2 of it",
        "",
        "it's 'quoted' words",
        "🪿",
        "What is this, and why? " * 20 + "Tell me.",  # longer than any file's name
    ],
)
def test_words_stay_words(line: str) -> None:
    assert understand(line) == Typed(line)


def test_a_word_that_is_also_a_file_here_stays_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "goose").write_bytes(b"")
    assert understand("goose goose") == Typed("goose goose")


def test_an_answer_can_be_replied_to_by_its_number(goose: Path) -> None:
    assert understand(f">3 and '{goose}'?") == Typed("and '" + str(goose) + "'?", (), 3)
    assert understand(">12 why?") == Typed("why?", (), 12)
    assert understand("> a quote") == Typed("> a quote")
