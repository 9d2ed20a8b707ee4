"""See the states of every layer while a model runs: hooks that live inside a `with` and are counted."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

from torch import Tensor, nn

from babelscope.models.hookable import refuse_compiled
from babelscope.models.parts import Parts

Keep = Callable[[str, Tensor], None]
"""Receives the name of a layer and its values (B, T, D)."""


class _Enough(BaseException):
    """Ends a forward pass above the last layer that is wanted; not an Exception, which a model might catch."""


@contextmanager
def record(parts: Parts, keep: Keep, *, only: Collection[str] | None = None) -> Iterator[None]:
    """Call `keep(layer, hidden)` for every layer of every forward pass made inside the `with`.

    `hidden` is (B, T, D) in the model's dtype. Layer "0" is the input of block 0, layer "i" the output of block i and
    "final" the output of the final norm where the family has one; there, Hugging Face's last hidden state is "final".

    Args:
        parts: Where the layers of the loaded model are.
        keep: Receives each layer in turn.
        only: The layers that are wanted. The first forward pass then ends after the last of them, and with it the
            `with`; it gives no result.

    Raises:
        ValueError: if the model is compiled or has no such layer, or a layer was run less often than another, as when
            the forward pass skips some of the blocks that the family row names.
    """
    refuse_compiled(parts)
    layers = parts.layers if only is None else _up_to_last(parts, only)
    fired: Counter[str] = Counter()

    def give(layer: str, hidden: Tensor) -> None:
        fired[layer] += 1
        if only is None or layer in only:
            keep(layer, hidden)
        if only is not None and layer == layers[-1]:
            raise _Enough

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        give("0", args[0] if args else kwargs["hidden_states"])

    def after(layer: str) -> Callable[[nn.Module, Any, Any], None]:
        # depending on the family, blocks return a bare tensor or a tuple that starts with one
        return lambda module, args, output: give(layer, output if isinstance(output, Tensor) else output[0])

    with suppress(_Enough), ExitStack() as hooks:
        hooks.enter_context(parts.blocks[0].register_forward_pre_hook(before, with_kwargs=True))
        for i, block in enumerate(parts.blocks, start=1):
            hooks.enter_context(block.register_forward_hook(after(str(i))))
        if parts.final_norm is not None:
            hooks.enter_context(parts.final_norm.register_forward_hook(after("final")))
        yield
    if len({fired[layer] for layer in layers}) != 1 or not fired:
        counts = ", ".join(f"{layer} ({fired[layer]}x)" for layer in layers)
        name = parts.family.model_type
        raise ValueError(
            f"Expected every layer of a {name} model to run equally often in a forward pass, but got {counts}; correct "
            f"`blocks` in the row of family {name!r} (`model.family`)."
        )


def _up_to_last(parts: Parts, only: Collection[str]) -> tuple[str, ...]:
    """List the layers up to the last that is wanted."""
    if not only or any(layer not in parts.layers for layer in only):
        raise ValueError(
            f"Expected argument `only` to be layers of {', '.join(parts.layers)}, but got "
            f"{', '.join(only) or 'none'}; name some of these."
        )
    return parts.layers[: 1 + max(map(parts.layers.index, only))]
