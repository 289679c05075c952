"""Which model `--model auto` means on this machine, and the rule that says so."""

from __future__ import annotations

from dataclasses import dataclass

GB = 1e9
AMPERE = (8, 0)


@dataclass(frozen=True)
class Hardware:
    """Bytes of the first card and what it can compute, or None; bytes of main memory that are free, or None where nobody tells."""

    card: int | None
    capability: tuple[int, int] | None
    main: int | None


@dataclass(frozen=True)
class Recommendation:
    name: str
    rule: str


def best_for(machine: Hardware) -> Recommendation:
    """By what people say they run on such machines. Cards before 2020 lack bf16, without which Qwen answers with signs of exclamation."""
    if machine.card is None or machine.card < 5.5 * GB:
        return on_processor(machine)
    size = machine.card / GB
    if machine.capability is not None and machine.capability < AMPERE:
        return Recommendation(
            "llava-7b", f"A card of {size:.0f} GB from before 2020 computes in fp16, which LLaVA-1.5 was made for: llava-7b."
        )
    if size < 7.5:
        return Recommendation("smolvlm2-2b", f"A card of {size:.0f} GB has room for SmolVLM2 with 2.2 billion parameters: smolvlm2-2b.")
    if size < 11.5:
        return Recommendation("qwen3-vl-4b", f"A card of {size:.0f} GB, from 8 to 12: qwen3-vl-4b.")
    return Recommendation("qwen3-vl-8b", f"A card of {size:.0f} GB, 12 or more: qwen3-vl-8b.")


def on_processor(machine: Hardware) -> Recommendation:
    """SmolVLM looks at a picture as a whole there, in one tile: more take a minute."""
    few = machine.main is not None and machine.main < 3 * GB
    name = "smolvlm-256m" if few else "smolvlm-500m"
    free = "" if machine.main is None else f" with {machine.main / GB:.0f} GB free"
    return Recommendation(
        name, f"No card of 6 GB or more, so the processor{free}: SmolVLM, which sees a picture there as one tile: {name}."
    )


def this_machine() -> Hardware:
    import torch

    from engine.device.devices import main_memory

    if not torch.cuda.is_available():
        return Hardware(None, None, main_memory())
    return Hardware(torch.cuda.get_device_properties(0).total_memory, torch.cuda.get_device_capability(0), main_memory())
