"""A cluster's options are what deploy/ray's config gives, and bounds that contradict each other are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from engine.cluster.options import CPU_ROWS, GPU_ROWS, ClusterOptions

ROOT = Path(__file__).parents[3]


def test_the_config_of_deploy_ray_gives_options_to_what_exists() -> None:
    (application,) = yaml.safe_load((ROOT / "deploy/ray/serve.yaml").read_text(encoding="utf-8"))["applications"]
    options = ClusterOptions.model_validate(application["args"])
    assert (options.gpus, options.most, options.rows_each) == (1, 8, GPU_ROWS)
    module, _, name = application["import_path"].partition(":")
    assert f"def {name}(" in (ROOT / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")


def test_what_is_not_said_is_as_an_engine_has_it() -> None:
    assert (ClusterOptions(replicas=3).most, ClusterOptions(gpus=0).rows_each) == (3, CPU_ROWS)
    with pytest.raises(ValidationError, match="must not be fewer"):
        ClusterOptions(replicas=3, most_replicas=2)
    with pytest.raises(ValidationError, match="Extra inputs"):
        ClusterOptions.model_validate({"gpu": 1})
