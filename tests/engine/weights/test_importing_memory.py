"""An import of a model that does not fit into 2 GB runs inside 2 GB: a real process, watched from outside."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from engine.models.llama.config import LlamaConfig
from engine.weights.merging import LAST_NORM, language_shapes
from engine.weights.shards import SHARD_BYTES
from engine.weights.stored_tensors import open_weights
from tests.engine.weights.release_files import copied_sources, write_sparse

LIMIT = 2_000_000_000  # bytes of anonymous memory
LARGE = LlamaConfig(32000, 5120, 13824, 1, 40, 40, 128)  # one layer of a 13B: 1.3 GB, and as much for its base and its delta each
HALF = LlamaConfig(32000, 2560, 6912, 2, 20, 20, 128)  # half as wide, and so each tensor half as large or less: 0.6 GB
COMMAND = """
import sys
from pathlib import Path
from engine.weights.importing import Sources, import_model
llama, delta, vit, blip2, checkpoint, architecture, out = map(Path, sys.argv[1:])
import_model(Sources(llama, checkpoint, blip2, delta, vit, architecture), out, "none", lambda written, total: None)
"""


def write_llama(folder: Path, config: LlamaConfig, *, norm: bool = True) -> None:
    """One file of zeros, sparse: it takes no room, but reads like any other."""
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(asdict(config)))
    write_sparse(folder / "pytorch_model.bin", language_shapes(config), LAST_NORM if norm else "")  # a delta's norm is zeros


def anonymous_bytes(process: int) -> int:
    """RssAnon: what the process itself holds; pages of files it reads do not count."""
    status = Path(f"/proc/{process}/status").read_text()
    return next((int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon:")), 0)


@pytest.mark.parametrize(
    ("config", "limit"), [pytest.param(LARGE, LIMIT, id="13B", marks=pytest.mark.sweep), pytest.param(HALF, LIMIT // 2, id="half as wide")]
)
def test_an_import_stays_within_two_gigabytes_for_any_model(tmp_path: Path, config: LlamaConfig, limit: int) -> None:
    sources = copied_sources(tmp_path)
    assert sources.delta
    assert sources.vit
    assert sources.architecture
    base, delta = tmp_path / "llama-13b", tmp_path / "vicuna-delta"
    write_llama(base, config)
    write_llama(delta, replace(config, vocab_size=32001), norm=False)
    (delta / "tokenizer.model").write_bytes((sources.delta / "tokenizer.model").read_bytes())
    write_sparse(sources.checkpoint, {"llama_proj.weight": (config.hidden_size, 48), "llama_proj.bias": (config.hidden_size,)})
    paths = (base, delta, sources.vit, sources.blip2, sources.checkpoint, sources.architecture, tmp_path / "out")
    with subprocess.Popen([sys.executable, "-c", COMMAND, *map(str, paths)]) as child:
        peak = 0
        while child.poll() is None:
            peak = max(peak, anonymous_bytes(child.pid))
            if peak > limit:
                child.kill()
            time.sleep(0.005)  # touching 2 GB takes hundreds of milliseconds: nothing passes unseen
    assert peak < limit
    assert child.returncode == 0
    shards = sorted((tmp_path / "out").glob("language-*.safetensors"))
    assert max(path.stat().st_size for path in shards) <= SHARD_BYTES
    assert {name for path in shards for name in open_weights(path)} == set(language_shapes(config))
    assert peak < sum(path.stat().st_size for path in shards)  # or the test would prove nothing
