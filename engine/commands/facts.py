"""What torch says of this machine, as JSON for `gander doctor`, which must not import torch itself."""

from __future__ import annotations

import platform

import typer

from engine.api import MachineFacts


def facts() -> None:
    """Print the device, its memory and torch's build as one line of JSON."""
    import torch

    gpu = torch.cuda.is_available()
    typer.echo(
        MachineFacts(
            torch=torch.__version__,
            built_for=f"CUDA {torch.version.cuda}" if torch.version.cuda else "CPU",
            device=torch.cuda.get_device_name(0) if gpu else platform.processor() or platform.machine(),
            gpus=torch.cuda.device_count() if gpu else 0,
            gpu_memory_bytes=torch.cuda.get_device_properties(0).total_memory if gpu else 0,
            threads=torch.get_num_threads(),
        ).model_dump_json()
    )
