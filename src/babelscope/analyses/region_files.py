"""Linguistic regions on disk: one safetensors file with one mask per language."""

import json
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes

from babelscope.analyses.regions import Regions
from babelscope.files import whole_file
from babelscope.models.parts import Parts

FORMAT = 1
"""Raised when the meaning of a stored mask changes."""
_SHOWN = 12


def save(regions: Regions, file: Path) -> Path:
    """Write regions whole, or not at all: the masks (L, F) as bool tensors by language, the rest as JSON metadata.

    Raises:
        OSError: if the file cannot be written; nothing is left behind then.
    """
    about = {
        "format": FORMAT,
        "languages": regions.languages,
        "criterion": regions.criterion,
        "reading": regions.reading,
        "weights": regions.weights,
        "model": regions.model,
        "settings": dict(regions.settings),
    }
    # masks may be views of one tensor, which safetensors does not write
    masks = {language: mask.cpu().clone().contiguous() for language, mask in regions.masks.items()}
    whole = to_bytes(masks, {"regions": json.dumps(about)})
    with whole_file(file) as temporary:
        temporary.write_bytes(whole)
    return file


def read(file: Path) -> Regions:
    """Read the regions that `save` wrote.

    Raises:
        ValueError: if the file is missing or torn, or holds something else.
    """
    try:
        with safe_open(file, "pt") as stored:
            about = json.loads((stored.metadata() or {})["regions"])
            if about["format"] != FORMAT:
                raise ValueError(f"written in format {about['format']}, not {FORMAT}")
            masks = {language: stored.get_tensor(language) for language in about["languages"]}
        return Regions(masks, about["criterion"], about["reading"], about["weights"], about["model"], about["settings"])
    except (SafetensorError, OSError, KeyError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise ValueError(
            f"Expected {file} to be a file of regions that Babelscope saved, but it cannot be read as one "
            f"({type(error).__name__}: {reason}); find the regions again with `babelscope neurons`"
        ) from error


def check_model(regions: Regions, parts: Parts, weights: str, *, any_weights: bool = False) -> Regions:
    """Return the regions if they are of this model.

    Args:
        regions: Regions that were found before.
        parts: Parts of the model that they are to be used in.
        weights: Its hash, by `weights_fingerprint`. Regions without one, as published ones, are of any weights.
        any_weights: Take regions of other weights too, as of another checkpoint of the same model.

    Raises:
        ValueError: if the shape differs, or the weights do.
    """
    shape = (len(parts.blocks), parts.neurons)
    of = f" of {regions.model}" if regions.model else ""
    if regions.shape != shape:
        raise ValueError(
            f"Expected regions of a model with {shape[0]} blocks of {shape[1]} neurons, but got regions{of} with "
            f"{regions.shape[0]} blocks of {regions.shape[1]}; find them in this model"
        )
    if not any_weights and regions.weights and regions.weights != weights:
        raise ValueError(
            f"Expected regions of the model with weights {weights[:_SHOWN]}, but got regions{of} of weights "
            f"{regions.weights[:_SHOWN]}; find them in this model, or pass any_weights=true to use them all the same"
        )
    return regions
