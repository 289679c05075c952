"""In which order graphs are captured, and whose memory each one gets; capturing itself needs a card (tests/engine/whole/test_cuda.py)."""

from __future__ import annotations

from dataclasses import dataclass

from engine.device.cuda_graphs import capture_largest_first


@dataclass
class Graph:
    size: int
    given: str | None

    @property
    def pool(self) -> str:
        return self.given or f"memory of {self.size}"


def test_the_largest_is_captured_first_and_shares_its_memory() -> None:
    graphs = capture_largest_first([2, 8, 4], Graph, weight=lambda size: size)
    assert list(graphs.values()) == [Graph(8, None), Graph(4, "memory of 8"), Graph(2, "memory of 8")]


def test_memory_that_is_there_already_is_shared_by_all() -> None:
    graphs = capture_largest_first([1, 2], Graph, weight=lambda size: size, pool="memory of others")
    assert [graph.given for graph in graphs.values()] == ["memory of others", "memory of others"]


def test_no_sizes_need_no_graphs() -> None:
    assert capture_largest_first([], Graph, weight=lambda size: size) == {}
