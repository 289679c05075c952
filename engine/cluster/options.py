"""What a cluster is started with: by `gander cluster`, and as `args` in a Ray Serve config (deploy/ray/serve.yaml)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

GPU_ROWS, CPU_ROWS = 64, 10  # what an engine takes by itself


class ClusterOptions(BaseModel):
    """Every node needs the model's folder, under the same name or path."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str = "pocket"
    replicas: int = Field(default=1, ge=1)  # at least
    most_replicas: int = Field(default=0, ge=0)  # 0: as many as at least
    gpus: float = Field(default=1.0, ge=0)  # of each replica; 0: it computes on the CPU
    cpus: float = Field(default=1.0, gt=0)  # of each replica, as Ray counts them
    rows: int | None = Field(default=None, ge=1, le=1024)  # answers at once of each replica
    tokens: int | None = Field(default=None, ge=16)
    memory: float | None = Field(default=None, ge=1)  # gigabytes of a GPU at most
    quantize: Literal["auto", "none", "int8", "4bit"] = "auto"
    dtype: Literal["auto", "float32"] = "auto"
    detail: Literal["auto", "low", "normal", "high"] = "auto"
    grow_seconds: float = Field(default=30.0, ge=0)  # that more replicas are wanted before one starts
    shrink_seconds: float = Field(default=600.0, ge=0)  # that fewer would do before one ends
    key_file: str | None = None  # with the key that clients must send; else GANDER_ENGINE_KEY of the node

    @model_validator(mode="after")
    def _in_order(self) -> ClusterOptions:
        if self.most_replicas and self.most_replicas < self.replicas:
            raise ValueError(f"most_replicas ({self.most_replicas}) must not be fewer than replicas ({self.replicas}).")
        return self

    @property
    def most(self) -> int:
        return self.most_replicas or self.replicas

    @property
    def rows_each(self) -> int:
        return self.rows or (GPU_ROWS if self.gpus else CPU_ROWS)
