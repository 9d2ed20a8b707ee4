"""Switch neurons off while a model runs, and choose others at random to compare with."""

import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from babelscope.models.hookable import refuse_compiled, remedy_for_bypassed
from babelscope.models.parts import Parts
from babelscope.states.neurons import Place, check_place
from babelscope.states.progress import Progress

Measured = TypeVar("Measured")


@contextmanager
def ablate(parts: Parts, mask: Tensor, *, place: Place = "down_input") -> Iterator[None]:
    """Set neurons to 0 in every forward pass made inside the `with`; all others stay as they are, bit by bit.

    In a feed-forward layer with a gate, a neuron is 0 where its gate is, so both places give the model the same output.
    A `with` inside another adds its neurons. An encoder-decoder loses those of its encoder.

    Args:
        parts: Where the layers of the loaded model are.
        mask: (L, F) bool, the neurons to ablate.
        place: The input of the down-projection, or the output of the activation function.

    Raises:
        ValueError: if the mask is empty or of another shape, `place` is unknown, the model is compiled or trains with
            gradient checkpointing, a block does not pass the place of its neurons, or the model never ran.
    """
    _check(parts, mask, place)
    refuse_compiled(parts)
    blocks = [i for i, row in enumerate(mask) if bool(row.any())]
    ran: set[int] = set()
    with ExitStack() as hooks:
        for i in blocks:
            for handle in _switch_off(parts, i, mask[i], place, ran):
                hooks.enter_context(handle)
        yield
    if idle := [str(i + 1) for i in blocks if i not in ran]:
        raise ValueError(
            f"Expected the model to run while its neurons are ablated, but layers {', '.join(idle)} of this "
            f"{parts.family.model_type} model did not; call the model itself inside the `with`."
        )


def measure_without(
    parts: Parts,
    masks: Mapping[str, Tensor],
    measure: Callable[[], Measured],
    *,
    place: Place = "down_input",
    controls: int = 5,
    seed: int = 0,
    progress: Progress[str] = iter,
) -> Iterator[tuple[str, Measured, list[Measured]]]:
    """Repeat a measurement without each region in turn, and without as many random neurons.

    The arguments are checked and all random sets drawn at the call, before anything is measured.

    Args:
        parts: Of the model that `measure` runs.
        masks: (L, F) bool of each region, by its language; none empty.
        measure: Runs the model on the same sentences every time.
        place: Where neurons are ablated.
        controls: Random sets per region, each with as many neurons in every layer as the region, and none of its own.
        seed: Of the random sets; those of a region do not depend on which others are measured.
        progress: Wraps the languages of the regions, for a progress bar.

    Returns:
        An iterator over the regions: the language, what was measured without the region, and without each random set.

    Raises:
        ValueError: if there are fewer than two controls, or a region is empty; see `ablate` and `matched_masks`.
    """
    if controls < 2:
        raise ValueError(
            f"Expected argument `controls` to be at least 2, for their interval, but got {controls}; take 5 or more"
        )
    if empty := [language for language, mask in masks.items() if not bool(mask.any())]:
        raise ValueError(
            f"Expected argument `masks` to hold neurons of every language, but got an empty region for {empty[0]}; "
            "leave that language out"
        )
    drawn = {language: control_masks(language, mask, count=controls, seed=seed) for language, mask in masks.items()}

    def without(mask: Tensor) -> Measured:
        with ablate(parts, mask, place=place):
            return measure()

    return (
        (language, without(masks[language]), [without(mask) for mask in drawn[language]])
        for language in progress(list(masks))
    )


def matched_masks(mask: Tensor, *, count: int, seed: int) -> list[Tensor]:
    """Draw random sets of neurons outside a region, each with as many in every layer as the region has.

    Args:
        mask: (L, F) bool, the region.
        count: How many sets.
        seed: Of the choice.

    Raises:
        ValueError: if a layer has fewer neurons outside the region than in it, or `mask` or `count` makes no sense.
    """
    _refuse_non_mask(mask)
    if count < 1:
        raise ValueError(f"Expected argument `count` to be at least 1, but got {count}; raise it")
    inside = mask.sum(dim=1).tolist()
    for i, size in enumerate(inside):
        if size > mask.shape[1] - size:
            raise ValueError(
                f"Expected a region of at most half of a layer's neurons, so that as many others can be drawn, but "
                f"layer {i + 1} has {size} of {mask.shape[1]} inside; raise the region's threshold"
            )
    generator = torch.Generator().manual_seed(seed)
    outside = [(~row).nonzero().flatten() for row in mask.cpu()]
    masks = []
    for _ in range(count):
        drawn = torch.zeros_like(mask, device="cpu")
        for row, others, size in zip(drawn, outside, inside, strict=True):
            row[others[torch.randperm(len(others), generator=generator)[:size]]] = True
        masks.append(drawn)
    return masks


def control_masks(region: str, mask: Tensor, *, count: int, seed: int) -> list[Tensor]:
    """Draw the `matched_masks` of a region by its language, so that they do not depend on which others are measured."""
    return matched_masks(mask, count=count, seed=zlib.crc32(f"{seed}:{region}".encode()))


def _switch_off(parts: Parts, i: int, row: Tensor, place: Place, ran: set[int]) -> Iterator[RemovableHandle]:
    """Hook one block: its neurons (F,) are set to 0, and its number is added to `ran` once they have been."""
    zeroed = False

    def before(block: nn.Module, args: Any) -> None:
        nonlocal zeroed
        _refuse_recomputed(parts, block)
        zeroed = False

    def zero(hidden: Tensor) -> Tensor:
        nonlocal zeroed
        zeroed = True
        return hidden.masked_fill(row.to(hidden.device), 0)

    def after(block: nn.Module, args: Any, output: Any) -> None:
        if not zeroed:
            raise ValueError(_passed_by(parts, i, place))
        ran.add(i)

    yield parts.blocks[i].register_forward_pre_hook(before)
    if place == "gate":
        yield parts.ffn_gate[i].register_forward_hook(lambda module, args, output: zero(output))
    else:
        yield parts.ffn_out[i].register_forward_pre_hook(lambda module, args: (zero(args[0]), *args[1:]))
    yield parts.blocks[i].register_forward_hook(after)


def _check(parts: Parts, mask: Tensor, place: str) -> None:
    check_place(place)
    _refuse_non_mask(mask)
    shape = (len(parts.blocks), parts.neurons)
    if tuple(mask.shape) != shape:
        raise ValueError(
            f"Expected argument `mask` to be {shape} (blocks, neurons) for this {parts.family.model_type} model, but "
            f"got {tuple(mask.shape)}; it is of another model: find its regions anew"
        )
    if not bool(mask.any()):
        raise ValueError("Expected argument `mask` to hold neurons, but got an empty region; leave it out")
    sites = parts.ffn_gate if place == "gate" else parts.ffn_out
    if len({id(module) for module in sites}) < len(sites):
        raise ValueError(
            f"Expected every block to have a module of its own at {place!r}, but this {parts.family.model_type} "
            "model's blocks share one; choose the other place"
        )


def _refuse_non_mask(mask: Tensor) -> None:
    if mask.dtype != torch.bool or mask.ndim != 2:
        raise ValueError(
            f"Expected argument `mask` to be a bool tensor (blocks, neurons), but got {mask.dtype} of shape "
            f"{tuple(mask.shape)}; compare with a threshold first"
        )


def _refuse_recomputed(parts: Parts, block: nn.Module) -> None:
    """Refuse gradient checkpointing: the backward pass would run the block again, after the `with`, with all on."""
    if block.training and any(getattr(module, "gradient_checkpointing", False) for module in (parts.stack, block)):
        raise ValueError(
            "Expected a model that keeps its activations while neurons are ablated, but this one trains with "
            "gradient checkpointing, which computes them anew with all neurons on; call model.eval() first."
        )


def _passed_by(parts: Parts, i: int, place: str) -> str:
    return (
        f"Expected block {i + 1} of a {parts.family.model_type} model to call its module at {place!r}, where neurons "
        f"are ablated, but it did not; {remedy_for_bypassed(parts.family, 'place')}"
    )
