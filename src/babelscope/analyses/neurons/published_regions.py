"""Language-specific neurons as the authors of LAPE published them (github.com/RUCAIBox/Language-Specific-Neurons)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from babelscope.analyses.regions import Regions

LAYOUT = "a torch-saved list over languages of lists over blocks of 1-d int64 tensors of neuron indices"


def read_published(file: Path, languages: Sequence[str], neurons: int, *, model: str = "") -> Regions:
    """Read published LAPE regions: MODEL.neuron.pth of the repository, or activation_mask/NAME of its scripts.

    Args:
        file: The file, whatever its suffix.
        languages: FLORES codes of the file's K languages, in its order, which it does not name. The published ones are
            en, zh, fr, es, vi, id and, but for BLOOM, ja. The scripts leave out a last language without a neuron.
        neurons: F, neurons per block of the model, which the file does not name either.
        model: The model's name.

    Returns:
        Regions of criterion "published" and reading "gate", without a hash of weights.

    Raises:
        ValueError: if the file cannot be read or is of another layout, has another number of languages, or names a
            neuron that the model does not have.
    """
    regions = _load(file)
    if len(languages) != len(regions) or len(set(languages)) != len(languages):
        raise ValueError(
            f"Expected argument `languages` to name each of the {len(regions)} languages in {file} once, in its order, "
            f"but got {', '.join(languages) or 'none'}; correct the list"
        )
    masks = {}
    for language, blocks in zip(languages, regions, strict=True):
        masks[language] = torch.zeros(len(blocks), neurons, dtype=torch.bool)
        for block, indices in enumerate(blocks):
            if len(indices) and not 0 <= int(indices.min()) <= int(indices.max()) < neurons:
                raise ValueError(
                    f"Expected {file} to hold neurons from 0 to {neurons - 1}, but got {int(indices.min())} to "
                    f"{int(indices.max())} for {language} in block {block + 1}; give the file of this model"
                )
            masks[language][block, indices] = True
    return Regions(masks, "published", "gate", model=model, settings={"file": file.name})


def _load(file: Path) -> list[list[Tensor]]:
    try:
        regions = torch.load(file, map_location="cpu", weights_only=True)
    # a file that is no pickle fails inside the unpickler, in whatever way its bytes lead to
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise ValueError(f"Expected {file} to be {LAYOUT}, but it cannot be read: {reason}; fetch it again") from error
    if not _has_layout(regions):
        raise ValueError(
            f"Expected {file} to be {LAYOUT}, as many blocks for each, but got another {type(regions).__name__}; "
            f"give a file in that layout"
        )
    return regions


def _has_layout(regions: Any) -> bool:
    return (
        isinstance(regions, list)
        and bool(regions)
        and all(isinstance(blocks, list) and blocks and len(blocks) == len(regions[0]) for blocks in regions)
        and all(_is_indices(indices) for blocks in regions for indices in blocks)
    )


def _is_indices(value: Any) -> bool:
    return isinstance(value, Tensor) and value.ndim == 1 and value.dtype == torch.int64
