"""A small GPT: pre-norm blocks of causal attention and a perceptron, learned positions."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - torch's own habit
from torch import nn

from sunk_jobs.training.options import ModelShape

_INITIAL_DEVIATION = 0.02


class Block(nn.Module):
    """One transformer block; what FSDP gathers at a time."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attention_norm = nn.LayerNorm(shape.width)
        self.query_key_value = nn.Linear(shape.width, 3 * shape.width)
        self.attention_out = nn.Linear(shape.width, shape.width)
        self.perceptron_norm = nn.LayerNorm(shape.width)
        self.perceptron_in = nn.Linear(shape.width, 4 * shape.width)
        self.perceptron_out = nn.Linear(4 * shape.width, shape.width)

    def forward(self, stream: torch.Tensor) -> torch.Tensor:
        """Return the residual stream behind this block; (samples, tokens, width)."""
        samples, tokens, width = stream.shape
        split = (samples, tokens, self.heads, width // self.heads)
        parts = self.query_key_value(self.attention_norm(stream)).chunk(3, dim=-1)
        query, key, value = (part.reshape(split).transpose(1, 2) for part in parts)
        seen = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        stream = stream + self.attention_out(seen.transpose(1, 2).reshape(samples, tokens, width))
        inner = F.gelu(self.perceptron_in(self.perceptron_norm(stream)))
        return stream + self.perceptron_out(inner)


class Gpt(nn.Module):
    """The whole model; its forward pass returns the mean loss of predicting the next tokens."""

    def __init__(self, shape: ModelShape) -> None:
        super().__init__()
        self.token = nn.Embedding(shape.vocabulary, shape.width)
        self.position = nn.Embedding(shape.context, shape.width)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(shape.width)
        self.head = nn.Linear(shape.width, shape.vocabulary, bias=False)
        self.apply(_initialise)

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the mean cross entropy, in float32; both arguments are (samples, tokens)."""
        places = torch.arange(inputs.shape[1], device=inputs.device)
        stream = self.token(inputs) + self.position(places)
        for block in self.blocks:
            stream = block(stream)
        logits = self.head(self.norm(stream)).float()
        return F.cross_entropy(logits.flatten(0, 1), targets.flatten())


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=_INITIAL_DEVIATION)
    if isinstance(module, nn.Linear) and module.bias is not None:
        nn.init.zeros_(module.bias)
