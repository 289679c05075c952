"""What goes wrong with the files that people have, each by its name: handled without editing, or refused with the file to change."""

from __future__ import annotations

import json
import pickle
import resource
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from engine.errors import ModelError, WeightsError
from engine.models.llama.config import LlamaConfig
from engine.weights.importing import Sources
from engine.weights.merging import language_shapes
from engine.weights.stored_tensors import open_weights
from tests.engine.weights.release_files import copied_sources, edit_json, edit_tensors, golden_sources, imported, write_sparse

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0123\nsize 9876543210\n"


@pytest.fixture
def sources(tmp_path: Path) -> Sources:
    return copied_sources(tmp_path)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def expect_refusal(sources: Sources, out: Path, *words: str) -> None:
    with pytest.raises(ModelError) as caught:
        imported(sources, out)
    for word in words:
        assert word in str(caught.value)
    assert not out.exists()


@pytest.mark.parametrize("claimed", [32000, -1, 600])
def test_vocabulary_that_a_config_states_wrongly(claimed: int, sources: Sources, out: Path) -> None:
    """`size of tensor a (32000) must match …`: the embedding's rows are believed, not the config."""
    assert sources.delta
    for folder in (sources.llama, sources.delta):
        edit_json(folder / "config.json", vocab_size=claimed)
    imported(sources, out)
    assert json.loads((out / "config.json").read_text())["vocab_size"] == 601


def test_v0_vocabulary_has_one_word_more_than_its_base(out: Path) -> None:
    imported(golden_sources("v0"), out)
    assert Tokenizer.from_file(str(out / "tokenizer.json")).token_to_id("[PAD]") == 600


@pytest.mark.parametrize("spelling", ["LLaMATokenizer", "LlamaTokenizer"])
@pytest.mark.parametrize("special", ["", None, "<s>"])
def test_tokenizer_config_of_2023(spelling: str, special: str | None, sources: Sources, out: Path) -> None:
    """A class that no longer exists and empty special tokens: the SentencePiece model alone is asked."""
    assert sources.delta
    values = dict.fromkeys(("bos_token", "eos_token", "unk_token"), special)
    for folder in (sources.llama, sources.delta):
        edit_json(folder / "tokenizer_config.json", tokenizer_class=spelling, **values)
        edit_json(folder / "special_tokens_map.json", **values)
    imported(sources, out)
    tokenizer = Tokenizer.from_file(str(out / "tokenizer.json"))
    assert tokenizer.encode("a</s>", add_special_tokens=False).ids[-1] == 2
    written = json.loads((out / "tokenizer_config.json").read_text())
    assert (written["bos_token"], written["eos_token"], written["unk_token"]) == ("<s>", "</s>", "<unk>")


def test_tokenizer_only_in_the_base(sources: Sources, out: Path) -> None:
    assert sources.delta
    (sources.delta / "tokenizer.model").unlink()
    imported(sources, out)
    assert (out / "tokenizer.json").exists()


def test_rotary_frequencies_are_left_behind(sources: Sources, out: Path) -> None:
    imported(sources, out)
    assert not any("inv_freq" in name for path in out.glob("*.safetensors") for name in open_weights(path))


def test_projection_of_another_size(sources: Sources, out: Path) -> None:
    def widen(tensors: dict[str, torch.Tensor]) -> None:
        tensors["llama_proj.weight"] = torch.zeros(128, 48)

    edit_tensors(sources.checkpoint, widen)
    expect_refusal(sources, out, "pretrained_minigpt4.pth", "128", "64", "--checkpoint")


def test_delta_of_another_size(sources: Sources, out: Path) -> None:
    assert sources.delta
    for path in sources.delta.glob("*.bin"):
        edit_tensors(path, lambda tensors: tensors.update({name: torch.cat((t, t), -1) for name, t in tensors.items()}))
    expect_refusal(sources, out, "vicuna-delta-v0")
    edit_json(sources.delta / "config.json", hidden_size=128)
    expect_refusal(sources, out, "vicuna-delta-v0")


def test_delta_of_another_depth(sources: Sources, out: Path) -> None:
    assert sources.delta
    edit_json(sources.delta / "config.json", num_hidden_layers=1)
    expect_refusal(sources, out, "vicuna-delta-v0", "num_hidden_layers", "--delta")


def test_delta_on_merged_weights(sources: Sources, out: Path) -> None:
    assert sources.delta
    expect_refusal(replace(sources, llama=sources.delta, delta=sources.llama), out, "leave --delta out")


@pytest.mark.parametrize("kept", [0.5, 0.99])
def test_truncated_shard(kept: float, sources: Sources, out: Path) -> None:
    path = sources.llama / "pytorch_model-00002-of-00003.bin"
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * kept)])
    expect_refusal(sources, out, str(path), "truncated")


def test_truncated_safetensors(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_file({"a": torch.zeros(100)}, path)
    for kept in (4, 60, path.stat().st_size - 1):
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(WeightsError, match="truncated"):
            open_weights(path)
        save_file({"a": torch.zeros(100)}, path)


@pytest.mark.parametrize(
    ("shape", "offsets"), [([2], [-8, 0]), ([2], [0, 4]), ([-2], [0, 8]), ([1 << 62, 1 << 62], [0, 8]), ("ab", [0, 8]), ([2], [0])]
)
def test_safetensors_whose_header_lies(shape: object, offsets: list[int], tmp_path: Path) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": offsets}}).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(WeightsError, match="truncated or no safetensors"):
        open_weights(path)


def test_shard_that_is_not_there(sources: Sources, out: Path) -> None:
    (sources.llama / "pytorch_model-00002-of-00003.bin").unlink()
    expect_refusal(sources, out, "pytorch_model-00002-of-00003.bin", "missing")


def test_shard_that_is_not_there_without_an_index(sources: Sources, out: Path) -> None:
    (sources.llama / "pytorch_model.bin.index.json").unlink()
    imported(sources, out)
    shutil.rmtree(out)
    (sources.llama / "pytorch_model-00002-of-00003.bin").unlink()
    expect_refusal(sources, out, "pytorch_model-00002-of-00003.bin", "missing")


def test_shard_that_the_index_forgot_is_read_all_the_same(sources: Sources, out: Path) -> None:
    index = sources.llama / "pytorch_model.bin.index.json"
    weight_map = json.loads(index.read_text())["weight_map"]
    edit_json(index, weight_map={name: file for name, file in weight_map.items() if "00002" not in file})
    imported(sources, out)
    assert (out / "gander.json").exists()


def test_tensor_that_no_shard_has(sources: Sources, out: Path) -> None:
    edit_tensors(sources.llama / "pytorch_model-00003-of-00003.bin", lambda tensors: tensors.__delitem__("model.norm.weight"))
    expect_refusal(sources, out, "llama-hf", "model.norm.weight")


@pytest.mark.parametrize("name", ["llama-hf/pytorch_model-00001-of-00003.bin", "eva_vit_g.pth", "vicuna-delta-v0/tokenizer.model"])
def test_git_lfs_pointer(name: str, sources: Sources, out: Path) -> None:
    path = sources.llama.parent / name
    path.write_bytes(POINTER)
    expect_refusal(sources, out, str(path), "git lfs pull")


def test_web_page_in_place_of_weights(sources: Sources, out: Path) -> None:
    sources.checkpoint.write_bytes(b"<!DOCTYPE html><title>Google Drive: quota exceeded</title>")
    expect_refusal(sources, out, str(sources.checkpoint), "<!DOCTYPE")


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return print, ("this must never run",)


def test_pickle_that_is_more_than_tensors_is_refused_and_not_run(sources: Sources, out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"model": Bomb()}, sources.checkpoint)
    expect_refusal(sources, out, str(sources.checkpoint), "plain tensors")
    assert "never" not in capsys.readouterr().out


def test_pickle_alone_is_refused(sources: Sources, out: Path) -> None:
    sources.checkpoint.write_bytes(pickle.dumps({"model": {}}))
    expect_refusal(sources, out, str(sources.checkpoint))


def test_pytorch_s_old_form_says_how_to_save_it_again(sources: Sources, out: Path) -> None:
    content = torch.load(sources.checkpoint, weights_only=True)
    torch.save(content, sources.checkpoint, _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError) as caught:
        imported(sources, out)
    subprocess.run([sys.executable, "-c", str(caught.value).rpartition('python -c "')[2].removesuffix('"')], check=True)
    imported(sources, out)


def test_checkpoint_of_something_else(sources: Sources, out: Path) -> None:
    torch.save({"model": {"head.weight": torch.zeros(2)}}, sources.checkpoint)
    expect_refusal(sources, out, str(sources.checkpoint), "llama_proj.weight")


def test_eye_of_other_sizes_without_architecture(sources: Sources, out: Path) -> None:
    expect_refusal(replace(sources, architecture=None), out, "blip2_pretrained_flant5xxl.pth", "query_tokens", "--architecture")


def test_llama_in_its_owners_format(sources: Sources, out: Path) -> None:
    for path in sources.llama.iterdir():
        path.unlink()
    (sources.llama / "params.json").write_text("{}")
    expect_refusal(sources, out, "llama-hf", "convert_llama_weights_to_hf")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("llama-hf/pytorch_model.bin.index.json", "{"),
        ("llama-hf/pytorch_model.bin.index.json", "[]"),
        ("llama-hf/pytorch_model.bin.index.json", '{"weight_map": []}'),
        ("llama-hf/config.json", "[]"),
        ("llama-hf/config.json", '{"vocab_size": 600, "hidden_size": "64", "num_attention_heads": 4}'),
        ("llama-hf/config.json", '{"vocab_size": 600, "hidden_size": 64, "num_attention_heads": 0}'),
        ("vicuna-delta-v0/added_tokens.json", "{"),
        ("vicuna-delta-v0/added_tokens.json", '["[PAD]"]'),
        ("vicuna-delta-v0/tokenizer.model", ""),
        ("architecture.json", "{"),
        ("architecture.json", '{"vision": {"num_attention_heads": 7}}'),
        ("architecture.json", '{"qformer": {"num_attention_heads": 0}}'),
    ],
)
def test_damaged_small_file_is_named(name: str, content: str, sources: Sources, out: Path) -> None:
    path = sources.llama.parent / name
    path.write_text(content)
    expect_refusal(sources, out, str(path))


def test_both_the_eye_s_file_and_the_folder_that_holds_it(sources: Sources, out: Path) -> None:
    expect_refusal(replace(sources, blip2=sources.llama), out, "leave --vit out")


def test_options_that_were_mixed_up(sources: Sources, out: Path) -> None:
    assert sources.vit
    expect_refusal(replace(sources, vit=sources.blip2, blip2=sources.vit), out, "eva_vit_g.pth", "--blip2")


@pytest.mark.parametrize("blocker", ["file", "folder"])
def test_out_where_nothing_can_be_made(blocker: str, sources: Sources, out: Path) -> None:
    if blocker == "file":
        out.write_text("precious")
        out = out / "model"
    else:
        (out.parent / ".out.lock").mkdir()
    with pytest.raises(ModelError, match="can't be made"):
        imported(sources, out)


def test_a_disk_that_fills_up_on_the_way_keeps_what_is_whole(sources: Sources, out: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))  # the language model's shard fits, the vision encoder's does not
    try:
        expect_refusal(sources, out, "can't be made", "free space")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (whole,) = (out.parent / ".out.partial").glob("*.safetensors")
    written = whole.stat().st_mtime_ns
    imported(sources, out)
    assert (out / whole.name).stat().st_mtime_ns == written


def test_not_enough_disk(sources: Sources, out: Path) -> None:
    """The files claim 6.6 TB (they are sparse); nothing is written."""
    config = replace(LlamaConfig.read(sources.llama / "config.json"), intermediate_size=1 << 33)
    for path in sources.llama.glob("pytorch_model*"):
        path.unlink()
    edit_json(sources.llama / "config.json", intermediate_size=config.intermediate_size)
    write_sparse(sources.llama / "pytorch_model.bin", language_shapes(config))
    expect_refusal(replace(sources, delta=None), out, "The import needs 6597.1 GB", "--out")
