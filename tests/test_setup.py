"""What deploy/setup.sh says to a person: what is fetched, and what to do where Python is too old."""

# ruff: noqa: E501 - what pip says is said as it says it
from __future__ import annotations

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.fetching import show, shown

ROOT = Path(__file__).parent.parent

PIP = """\
Obtaining file:///work
  Installing build dependencies: started
Requirement already satisfied: typing-extensions in ./lib (4.15.0)
Collecting torch==2.13.0+cpu
  Downloading https://mirror.example/whl/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl.metadata (29 kB)
  Downloading https://mirror.example/whl/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl (200.1 MB)
Progress 0 of 1000
Progress 500 of 1000
Progress 1000 of 1000
Collecting sympy>=1.13.3 (from torch==2.13.0+cpu)
  Using cached sympy-1.14.0-py3-none-any.whl (6.3 MB)
Building wheels for collected packages: gander
  Building editable for gander (pyproject.toml): started
Installing collected packages: mpmath, sympy, torch
Successfully installed mpmath-1.3.0 sympy-1.14.0 torch-2.13.0+cpu
"""
OLD_PIP = "Collecting numpy\n  Downloading numpy-2.4.0-cp311-cp311-linux_x86_64.whl (16.8 MB)\nCollecting six\n  Downloading six-1.17.0-py2.py3-none-any.whl (11 kB)\nInstalling collected packages: six, numpy\n"


def test_each_package_that_is_fetched_is_named_with_its_size_and_how_far_it_is() -> None:
    assert list(shown(PIP.splitlines())) == [
        ("torch 2.13.0+cpu, 200.1 MB", False),
        ("torch 2.13.0+cpu, 200.1 MB .................... " + "  0%", False),
        ("torch 2.13.0+cpu, 200.1 MB ##########.......... " + " 50%", False),
        ("torch 2.13.0+cpu, 200.1 MB #################### 100%", False),
        ("torch 2.13.0+cpu, 200.1 MB", True),
        ("installing 3 packages (1 of them were fetched before) …", True),
    ]


def test_an_older_pip_s_packages_are_named_too() -> None:
    paper = io.StringIO()
    show(OLD_PIP.splitlines(), paper, 80)
    assert paper.getvalue().splitlines() == ["  numpy 2.4.0, 16.8 MB", "  six 1.17.0, 11 kB", "  installing 2 packages …"]


def set_up(tmp_path: Path, version: str, release: str) -> str:
    """What the set-up says on a system whose python3 is of this version, in lines of 60 columns."""
    (tmp_path / "deploy").mkdir()
    for name in ("setup.sh", "fetching.py"):
        shutil.copy(ROOT / "deploy" / name, tmp_path / "deploy" / name)
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path / name)
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        there = name == "python3" and version
        (programs / name).write_text(
            f"#!/bin/sh\ncase $2 in *platform*) echo {version};; *) exit 1;; esac\n" if there else "#!/bin/sh\nexit 127\n"
        )
        (programs / name).chmod(0o755)
    (tmp_path / "os-release").write_text(release)
    environment = {"PATH": f"{programs}:/usr/bin:/bin", "COLUMNS": "60", "OS_RELEASE": str(tmp_path / "os-release"), "LC_ALL": "C.UTF-8"}
    tried = subprocess.run([str(tmp_path / "deploy" / "setup.sh"), "engine"], env=environment, capture_output=True, text=True, check=False)
    assert tried.returncode == 1
    assert all(len(line.rstrip()) <= 60 or " " not in line.strip() for line in (tried.stdout + tried.stderr).splitlines())
    return " ".join((tried.stdout + tried.stderr).split())


@pytest.mark.skipif(sys.platform == "darwin", reason="the line is another there")
@pytest.mark.parametrize(
    ("release", "line"),
    [
        ("ID=ubuntu\nVERSION_ID='22.04'\n", "sudo add-apt-repository -y ppa:deadsnakes/ppa && sudo apt install python3.12 python3.12-venv"),
        ("ID=debian\nVERSION_ID=11\n", "uv python install 3.13 && PYTHON=$(uv python find 3.13) make demo"),
        ("ID=debian\nVERSION_ID=13\n", "sudo apt install python3 python3-venv"),
        ("ID=linuxmint\nID_LIKE='ubuntu debian'\n", "sudo apt install python3 python3-venv"),
        ("ID=fedora\nVERSION_ID=40\n", "sudo dnf install python3.13"),
        ("ID=rocky\nID_LIKE='rhel centos fedora'\nVERSION_ID=9.4\n", "sudo dnf install python3.12"),
        ("ID=unheard-of\n", "uv python install 3.13"),
        ("", "uv python install 3.13"),
    ],
)
def test_a_python_that_is_too_old_is_named_with_the_line_of_this_system(tmp_path: Path, release: str, line: str) -> None:
    told = set_up(tmp_path, "3.10.12", release)
    assert f"{tmp_path}/bin/python3 is 3.10.12" in told
    assert line in told


@pytest.mark.skipif(sys.platform == "darwin", reason="the line is another there")
def test_a_python_that_is_missing_is_said_to_be(tmp_path: Path) -> None:
    assert "none was found" in set_up(tmp_path, "", "ID=arch\n")


def test_help_keeps_words_whole() -> None:
    environment = os.environ | {"COLUMNS": "40"}
    told = subprocess.run(
        [str(shutil.which("make")), "-C", str(ROOT), "--no-print-directory", "help"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert all(len(line.rstrip()) <= 40 for line in told.stdout.splitlines())
    assert "pocket model" in " ".join(told.stdout.split())
