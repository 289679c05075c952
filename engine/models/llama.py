"""The language model of every architecture here, in plain PyTorch."""

from torch import nn


class Llama(nn.Module):
    """LLaMA: Touvron et al. 2023."""
