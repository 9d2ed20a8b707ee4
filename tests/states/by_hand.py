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
        return [compute(block, x) for block, x in zip(parts.blocks, received, strict=True)]


def ffn_of(block: Any) -> nn.Module:
    if hasattr(block, "intermediate"):
        return block.intermediate
    if hasattr(block, "fc1"):
        return block.fc1
    if hasattr(block, "ffn"):
        return block.ffn
    return block.mlp if hasattr(block, "mlp") else block.layer[1].DenseReluDense


def compute(block: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    ffn: Any = ffn_of(block)
    for gate, up, act in (("gate_proj", "up_proj", "act_fn"), ("wi_0", "wi_1", "act")):
        if hasattr(ffn, gate):
            gated = getattr(ffn, act)(getattr(ffn, gate)(x))
            return gated, gated * getattr(ffn, up)(x)
    for both, act in (("gate_up_proj", "activation_fn"), ("Wi", "act")):
        if hasattr(ffn, both):
            left, right = getattr(ffn, both)(x).chunk(2, dim=-1)
            gated = getattr(ffn, act)(left)
            return gated, gated * right
    if hasattr(block, "fc1"):
        only = block.activation_fn(block.fc1(x))
    else:
        names = [("dense_h_to_4h", "gelu_impl"), ("dense_h_to_4h", "act"), ("c_fc", "act"), ("lin1", "activation")]
        names += [("wi", "act"), ("up_proj", "act_fn"), ("dense", "intermediate_act_fn")]
        up, act = next(pair for pair in names if all(hasattr(ffn, name) for name in pair))
        only = getattr(ffn, act)(getattr(ffn, up)(x))
    return only, only


def with_lora(model: PreTrainedModel, ffn_out: str) -> nn.Module:
    """Adapters on the down-projections, too, which are not fresh: a fresh one changes nothing."""
    model = lora(model, r=2, targets=[ffn_out.rsplit(".", 1)[-1]])
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.normal_(std=0.3)
    return model.eval()
