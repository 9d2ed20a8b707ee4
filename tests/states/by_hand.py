"""FFN neurons computed from a block's own weights, without the paths of the families' rows."""

from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from babelscope.models.adapters import lora
from babelscope.models.parts import Parts


def neurons_by_hand(parts: Parts, **inputs: Tensor) -> list[tuple[Tensor, Tensor]]:
    """Gate and input of the down-projection, each (B, T, F), of every block, from what its FFN received."""
    received: list[Tensor] = []
    handles = [
        ffn_of(block).register_forward_pre_hook(lambda module, args: received.append(args[0])) for block in parts.blocks
    ]
    with torch.no_grad():
        parts.stack(**inputs)
        for handle in handles:
            handle.remove()
        return [compute(ffn_of(block), x) for block, x in zip(parts.blocks, received, strict=True)]


def ffn_of(block: Any) -> nn.Module:
    if hasattr(block, "intermediate"):
        return block.intermediate
    return block.mlp if hasattr(block, "mlp") else block.layer[1].DenseReluDense


def compute(ffn: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    if hasattr(ffn, "gate_proj"):
        gate = ffn.act_fn(ffn.gate_proj(x))
        return gate, gate * ffn.up_proj(x)
    if hasattr(ffn, "wi_0"):
        gate = ffn.act(ffn.wi_0(x))
        return gate, gate * ffn.wi_1(x)
    if hasattr(ffn, "dense_h_to_4h"):
        gate = ffn.gelu_impl(ffn.dense_h_to_4h(x))
    elif hasattr(ffn, "c_fc"):
        gate = ffn.act(ffn.c_fc(x))
    else:
        gate = ffn.intermediate_act_fn(ffn.dense(x))
    return gate, gate


def with_lora(model: PreTrainedModel, ffn_out: str) -> nn.Module:
    """Adapters on the down-projections, too, which are not fresh: a fresh one changes nothing."""
    model = lora(model, r=2, targets=[ffn_out.rsplit(".", 1)[-1]])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    return model.eval()
