"""See the activation of every FFN neuron while a model runs, at one of the two places where it can be read."""

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import Any, Literal, get_args

from torch import Tensor, nn

from babelscope.models.hookable import refuse_compiled, remedy_for_bypassed
from babelscope.models.parts import Parts
from babelscope.states.record import Keep

Place = Literal["down_input", "gate"]
"""Input of the down-projection, or output of the activation function; the same unless a second branch multiplies."""


@contextmanager
def record_neurons(parts: Parts, keep: Keep, *, place: Place) -> Iterator[None]:
    """Call `keep(layer, activation)` for every block of every forward pass made inside the `with`.

    `activation` is (B, T, F) in the model's dtype. The neurons of the i-th block, counted from 1, are layer "i". For an
    encoder-decoder, the blocks are those of the encoder.

    Args:
        parts: Where the blocks of the loaded model are.
        keep: Receives each layer in turn.
        place: "down_input" for what the down-projection receives (Zeng et al. 2025), "gate" for what the activation
            function gives (Tang et al. 2024).

    Raises:
        ValueError: if the place is unknown, the model is compiled or runs its feed-forward layers in chunks, a module
            gets other tokens than its block, as a routed expert does, or the neurons of a block were not passed as
            often as the block, because the forward pass takes another path.
    """
    check_place(place)
    refuse_compiled(parts)
    _refuse_chunks(parts)
    ran: Counter[str] = Counter()
    fired: Counter[str] = Counter()
    tokens = (0, 0)  # (B, T) of the input of the block that runs

    def give(layer: str, activation: Tensor) -> None:
        fired[layer] += 1
        keep(layer, _by_token(parts, place, layer, activation, tokens))

    def count(layer: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        nonlocal tokens
        ran[layer] += 1
        hidden: Tensor = args[0] if args else kwargs["hidden_states"]
        tokens = (hidden.shape[0], hidden.shape[1])

    def before(layer: str, module: nn.Module, args: tuple[Tensor, ...]) -> None:
        give(layer, args[0])

    def after(layer: str, module: nn.Module, args: Any, output: Tensor) -> None:
        give(layer, output)

    sites = zip(neuron_layers(parts), parts.blocks, parts.ffn_out, parts.ffn_gate, strict=True)
    with ExitStack() as hooks:
        for layer, block, out, gate in sites:
            hooks.enter_context(block.register_forward_pre_hook(partial(count, layer), with_kwargs=True))
            if place == "gate":
                hooks.enter_context(gate.register_forward_hook(partial(after, layer)))
            else:
                hooks.enter_context(out.register_forward_pre_hook(partial(before, layer)))
        yield
    _refuse_missed(parts, place, ran, fired)


def _by_token(parts: Parts, place: Place, layer: str, activation: Tensor, tokens: tuple[int, int]) -> Tensor:
    """Return an activation as (B, T, F); some models flatten B x T tokens for their feed-forward layers."""
    if activation.ndim == 2 and len(activation) == tokens[0] * tokens[1]:
        return activation.view(*tokens, -1)
    if activation.ndim == 3 and tuple(activation.shape[:2]) == tokens:
        return activation
    raise ValueError(
        f"Expected `{_site(place)}` of a {parts.family.model_type} model to be given every token of its block, "
        f"{tokens}, but in layer {layer} it has the shape {tuple(activation.shape)}; correct that path in the family's "
        "row: a routed expert, which is given only some tokens, has no neurons that can be read"
    )


def _site(place: Place) -> str:
    return "ffn_gate" if place == "gate" else "ffn_out"


def check_place(place: str, argument: str = "place") -> None:
    """Check that neurons can be read and ablated at a place, which the caller got as `argument`.

    Raises:
        ValueError: if there is no such place.
    """
    if place not in get_args(Place):
        raise ValueError(f"Expected argument `{argument}` to be 'down_input' or 'gate', but got {place!r}; choose one.")


def neuron_layers(parts: Parts) -> tuple[str, ...]:
    """Name the layers that have neurons: "1", ..., "L"."""
    return tuple(str(i) for i in range(1, len(parts.blocks) + 1))


def neuron_widths(parts: Parts) -> dict[str, int]:
    """Give F, the number of neurons, by layer."""
    return dict.fromkeys(neuron_layers(parts), parts.neurons)


def _refuse_chunks(parts: Parts) -> None:
    for block in parts.blocks:
        size = max(getattr(module, "chunk_size_feed_forward", 0) for module in block.modules())
        if size > 0:
            raise ValueError(
                f"Expected a {parts.family.model_type} model that runs each feed-forward layer on all tokens at once, "
                f"but got chunk_size_feed_forward={size}; set it to 0 in the model's config and load it anew."
            )


def _refuse_missed(parts: Parts, place: Place, ran: Counter[str], fired: Counter[str]) -> None:
    name, module = parts.family.model_type, _site(place)
    if not ran:
        raise ValueError(
            f"Expected a {name} model to run while its neurons are recorded, but no block did; "
            "call `parts.stack` of the same model inside the `with`."
        )
    missed = [
        f"{layer} ({fired[layer]}x in {ran[layer]})" for layer in neuron_layers(parts) if fired[layer] != ran[layer]
    ]
    if missed:
        raise ValueError(
            f"Expected `{module}` of a {name} model to be called once whenever its block is, but it was not in layers "
            f"{', '.join(missed)}; {remedy_for_bypassed(parts.family, 'reading')}"
        )
