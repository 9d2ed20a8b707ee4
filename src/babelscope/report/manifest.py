"""What pages read of a manifest, and of what kind it has to be: a file that was edited by hand may hold anything."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


def check_manifest(manifest: Mapping[str, Any], folder: Path) -> None:
    """Refuse a field that pages read and that is of another kind than they expect.

    Raises:
        ValueError: names the first such field.
    """
    for key, (contract, fits) in FIELDS.items():
        *places, name = key.split(".")
        holder: Any = manifest
        for place in places:  # those above were checked before
            holder = holder.get(place) or {}
        if name in holder and not fits(holder[name]):
            shown = repr(holder[name])
            raise ValueError(
                f"Expected `{key}` in {folder / 'manifest.json'} to be {contract}, but got "
                f"{shown if len(shown) <= 80 else f'{shown[:76]} ...'}; correct it, or run into this folder again."
            )


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_mapping(value: Any) -> bool:
    return isinstance(value, Mapping)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(name, str) for name in value)


def _are_parts(value: Any) -> bool:
    return isinstance(value, list) and all(
        isinstance(row, Mapping)
        and isinstance(row.get("part"), str)
        and all(_is_whole(row.get(number)) for number in ("parameters", "trainable"))
        for row in value
    )


def _are_neurons(value: Any) -> bool:
    """Pages of neurons cannot do without their number."""
    if not isinstance(value, Mapping):
        return False
    layers, neurons = value.get("layers"), value.get("per_layer")
    return bool((isinstance(layers, list) or _is_whole(layers)) and layers and _is_whole(neurons) and neurons)


def _is_criterion(value: Any) -> bool:
    return value is None or (isinstance(value, Mapping) and isinstance(value.get("threshold", 0.0), int | float))


def _or_null(fits: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or fits(value)


FIELDS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "setting": ("a mapping", _or_null(_is_mapping)),
    "corpus": ("a mapping", _or_null(_is_mapping)),
    "corpus.sentences": ("a whole number", _or_null(_is_whole)),
    "corpus.languages": (
        "a list of codes or their number",
        _or_null(lambda value: _are_names(value) or _is_whole(value)),
    ),
    "trainable": (
        "a list of parts, each with part, parameters and trainable",
        _or_null(_are_parts),
    ),
    "layers": ("a list of names", _or_null(_are_names)),
    "tensor": ("a mapping", _or_null(_is_mapping)),
    "tensor.rows": ("a whole number", _is_whole),
    "tensor.width": ("a whole number", _is_whole),
    "tensor.tied": ("true, false or null", lambda value: value is None or isinstance(value, bool)),
    "label_changes": ("a whole number", _is_whole),
    "neurons": ("a mapping with layers and per_layer", _are_neurons),
    "neurons.criteria": (
        "a mapping of mappings with threshold",
        _or_null(lambda value: _is_mapping(value) and all(map(_is_criterion, value.values()))),
    ),
    "neurons.empty": (
        "a mapping of lists of codes",
        _or_null(lambda value: _is_mapping(value) and all(map(_or_null(_are_names), value.values()))),
    ),
    "neurons.left_out": ("a mapping", _or_null(_is_mapping)),
}
"""By key with dots, those that hold others first: the contract in words and in code."""
