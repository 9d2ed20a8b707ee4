"""A hash of everything in a loaded model that its hidden states depend on."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import torch
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils.other import AuxiliaryTrainingWrapper
from torch import Tensor, nn

from babelscope.models.families import Family
from babelscope.models.parts import Parts, parts_of

# configuration keys about heads, files and libraries, which do not change a hidden state
_ASIDE = {"_name_or_path", "architectures", "dtype", "transformers_version", "id2label", "label2id", "problem_type"}
_ASIDE |= {"use_cache", "tie_word_embeddings", "output_hidden_states", "is_encoder_decoder"}
_ASIDE |= {"pad_token_id", "num_labels", "base_model_name_or_path", "revision", "inference_mode", "auto_mapping"}
_ASIDE |= {"modules_to_save", "task_type"}
ROBERTAS_PADDING = 1


def weights_fingerprint(model: nn.Module, family: Family | None = None) -> str:
    """Hash the weights between token ids and the last layer, and the settings that act on them.

    The same weights have the same hash under any head. Another dtype, a changed weight, an added, disabled or rescaled
    adapter each give another hash. Names, dtypes, shapes and bytes of all tensors are hashed, in the order of their
    names.

    Raises:
        ValueError: if weights are quantized.
    """
    parts = parts_of(model, family)
    places = _places(parts)
    settings = {**_settings(model), **_adapters(places), **_positions(parts)}
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=_plain).encode())
    return _hash_tensors(places, digest)


def tensors_fingerprint(model: nn.Module, family: Family | None = None) -> str:
    """Hash the weights between token ids and the last layer, without settings.

    Two checkpoints of one training with the same hash are the same checkpoint, whatever their config.json says.

    Raises:
        ValueError: if weights are quantized.
    """
    return _hash_tensors(_places(parts_of(model, family)), hashlib.sha256())


def frozen_fingerprint(model: nn.Module) -> str:
    """Hash the parameters that do not train, whatever the head; a resumed run takes the rest from its checkpoint."""
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        if not parameter.requires_grad:
            _add(digest, name, parameter)
    return digest.hexdigest()


def _places(parts: Parts) -> dict[str, nn.Module]:
    places: dict[str, nn.Module] = {"inputs": nn.ModuleList(parts.inputs), "blocks": nn.ModuleList(parts.blocks)}
    if parts.final_norm is not None:
        places["final_norm"] = parts.final_norm
    if parts.rest_held:  # the backbone may use these anywhere
        places["rest_held"] = nn.ParameterList(parts.rest_held)
    return places


def _positions(parts: Parts) -> dict[str, Any]:
    """Tell from which row RoBERTa and its relatives count positions, where that is not theirs: after `pad_token_id`."""
    padding = getattr(parts.positions, "padding_idx", None)
    return {} if padding in (None, ROBERTAS_PADDING) else {"positions": padding}


def _adapters(places: Mapping[str, nn.Module]) -> dict[str, Any]:
    """List the adapter settings that can change at run time, by the name of the module that has them."""
    return {
        f"{place}.{name}": [module.disable_adapters, module.active_adapters, getattr(module, "scaling", None)]
        for place, part in places.items()
        for name, module in part.named_modules()
        if isinstance(module, BaseTunerLayer | AuxiliaryTrainingWrapper)
    }


def _hash_tensors(places: Mapping[str, nn.Module], digest: "hashlib._Hash") -> str:
    tensors = {f"{name}.{key}": t for name, part in places.items() for key, t in part.state_dict().items()}
    for name in sorted(tensors):
        if not isinstance(tensors[name], Tensor) or tensors[name].is_quantized:
            raise ValueError(
                f"Expected weights that are not quantized, but {name} is, by torch.ao.quantization; pass the model as "
                "it was before."
            )
        _add(digest, name, tensors[name])
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", name: str, tensor: Tensor) -> None:
    digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
    # NumPy has no bfloat16, so the raw bytes are hashed
    digest.update(tensor.detach().contiguous().cpu().reshape(-1).view(torch.uint8).numpy())  # type: ignore[arg-type]


def _settings(model: Any) -> Mapping[str, Any]:
    """The settings of the model and of its adapters, because LoRA's alpha is in no tensor."""
    adapters = {name: config.to_dict() for name, config in getattr(model, "peft_config", {}).items()}
    found = {"config": model.config.to_diff_dict(), **adapters}
    return {name: {k: v for k, v in settings.items() if k not in _ASIDE} for name, settings in found.items()}


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, set) else str(value)
