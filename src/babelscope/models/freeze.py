"""Freezing by parts: adapters first, then a policy, then a check of what is left to train."""

from babelscope.models.parts import Parts
from babelscope.models.policies import FreezePolicy, Policy
from babelscope.models.trainable import TrainableMap, named_parts, trainable_map


def freeze(parts: Parts, policy: Policy) -> TrainableMap:
    """Freeze the parts that the policy names, with any adapters inside them; nothing is ever made trainable.

    A tensor shared by two parts, such as tied embeddings, is frozen if either part is. T5's relative position bias
    belongs to block 0, although all blocks read it.

    Args:
        parts: Parts of a model whose adapters, if any, are already in place.
        policy: What to freeze, or a function that decides it from the number of blocks.

    Raises:
        ValueError: if the policy reaches beyond the last block, or leaves nothing to train.
    """
    policy = policy if isinstance(policy, FreezePolicy) else policy(len(parts.blocks))
    names = {f"block {i}" for i in policy.frozen_blocks(len(parts.blocks))}
    chosen = {
        "inputs": policy.inputs,
        "final_norm": policy.final_norm,
        "lm_head": policy.lm_head,
        "decoder": policy.decoder == "freeze",
    }
    names |= {name for name, frozen in chosen.items() if frozen}
    for name, modules in named_parts(parts):
        if name in names:
            for module in modules:
                module.requires_grad_(False)
    result = trainable_map(parts)
    if not result.total.trainable:
        raise ValueError(
            f"Expected `freeze` to leave something to train, but got {policy}, which freezes all "
            f"{result.total.parameters:,} parameters; leave a block or the head out of it."
        )
    assert not any(row.trainable for row in result.rows if row.part in names), "a frozen part trains"
    return result
