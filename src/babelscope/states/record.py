"""See the states of every layer while a model runs: hooks that live inside a `with` and are counted."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from torch import Tensor, nn

from babelscope.models.hookable import refuse_compiled
from babelscope.models.parts import Parts

Keep = Callable[[str, Tensor], None]
"""Receives the name of a layer and its values (B, T, D)."""


@contextmanager
def record(parts: Parts, keep: Keep) -> Iterator[None]:
    """Call `keep(layer, hidden)` for every layer of every forward pass made inside the `with`.

    `hidden` is (B, T, D) in the model's dtype. Layer "0" is the input of block 0, layer "i" the output of block i and
    "final" the output of the final norm where the family has one; there, Hugging Face's last hidden state is "final".

    Raises:
        ValueError: if the model is compiled, or a layer was run less often than another, as when the forward pass skips
            some of the blocks that the family row names.
    """
    refuse_compiled(parts)
    fired: Counter[str] = Counter()

    def give(layer: str, hidden: Tensor) -> None:
        fired[layer] += 1
        keep(layer, hidden)

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        give("0", args[0] if args else kwargs["hidden_states"])

    def after(layer: str) -> Callable[[nn.Module, Any, Any], None]:
        # depending on the family, blocks return a bare tensor or a tuple that starts with one
        return lambda module, args, output: give(layer, output if isinstance(output, Tensor) else output[0])

    with ExitStack() as hooks:
        hooks.enter_context(parts.blocks[0].register_forward_pre_hook(before, with_kwargs=True))
        for i, block in enumerate(parts.blocks, start=1):
            hooks.enter_context(block.register_forward_hook(after(str(i))))
        if parts.final_norm is not None:
            hooks.enter_context(parts.final_norm.register_forward_hook(after("final")))
        yield
    if len({fired[layer] for layer in parts.layers}) != 1 or not fired:
        counts = ", ".join(f"{layer} ({fired[layer]}x)" for layer in parts.layers)
        name = parts.family.model_type
        raise ValueError(
            f"Expected every layer of a {name} model to run equally often in a forward pass, but got {counts}; correct "
            f"`blocks` in the row of family {name!r} (`model.family`)."
        )
