"""The token table of a checkpoint, read from its files alone: no model is built and no other weight is read."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor
from transformers import AutoConfig, PreTrainedTokenizerBase
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.utils import cached_file

from babelscope.models.checkpoint import Checkpoint, resolve_checkpoint, unreadable
from babelscope.models.families import Family
from babelscope.models.raw_config import family_of_config, read_raw_config, text_part
from babelscope.models.saved_adapters import read_shapes
from babelscope.models.tokenizer import load_tokenizer

INDEX, SINGLE = "model.safetensors.index.json", "model.safetensors"
# names under which output tables are saved; a head without its own table is tied
OUTPUTS = ("lm_head.weight", "lm_head.decoder.weight", "cls.predictions.decoder.weight", "embed_out.weight")
BLOCK = 4096


@dataclass(frozen=True)
class TokenTable:
    """The input embeddings of one checkpoint."""

    weight: Tensor
    """(V, D), in the stored type, memory-mapped: rows are read when used; convert them to float32 yourself."""
    name: str
    """Name of the tensor in the checkpoint."""
    tied: bool | None
    """Whether the output embedding is the same tensor: as stored, else as configured; None if neither says so."""
    tokenizer: PreTrainedTokenizerBase
    """Its tokenizer; V may exceed the number of its tokens, by padding rows."""
    model_type: str


def read_table(
    checkpoint: str | Path,
    *,
    revision: str | None = None,
    trust_remote_code: bool = False,
    family: Family | None = None,
    tokenizer: str | None = None,
) -> TokenTable:
    """Find the token table by the row of the model's family and map it, whether the checkpoint is sharded or not.

    Args:
        checkpoint: A folder or a Hub id; from the Hub, only the file that holds the table is fetched. For saved
            adapters, the table of the model that they were made for is read.
        revision: Of a Hub id; of a folder, a subfolder such as "step=100".
        trust_remote_code: Run code that comes with the tokenizer.
        family: The row to read the model by; by default the one of its model type.
        tokenizer: Folder or Hub id of the tokenizer; by default the checkpoint's own.

    Raises:
        ValueError: if the checkpoint has no token table, or it or the tokenizer cannot be read.
    """
    found = resolve_checkpoint(checkpoint, revision, trust_remote_code)
    raw = read_raw_config(found)
    config, family = text_part(raw), family_of_config(raw) if family is None else family
    where = _tensors(found)
    name = _find_table(found, where, family, config)
    if found.adapter is not None:
        _refuse_adapted(found.adapter, family)
    weight = _read(found, where[name], name)
    if weight.dim() != 2 or not weight.is_floating_point():
        raise _no_table(
            found, f"its {name} is {weight.dtype} of shape {tuple(weight.shape)}", "give a model that is not quantized"
        )
    tied = _is_tied(found, where, weight, config)
    return TokenTable(weight, name, tied, load_tokenizer(found, tokenizer), family.model_type)


def _tensors(found: Checkpoint) -> dict[str, Path]:
    """Return, for every tensor of a checkpoint, the file that holds it."""
    index = _file(found, INDEX)
    if index is not None:
        try:
            shards: Mapping[str, str] = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
            return {name: index.parent / shard for name, shard in shards.items()}
        except (ValueError, KeyError, AttributeError, TypeError) as error:
            raise _no_table(found, f"its {INDEX} cannot be read: {type(error).__name__} {error}") from error
    file = _file(found, SINGLE)
    if file is None:
        raise _no_table(found, f"it has neither {SINGLE} nor {INDEX}; it has {_listed(found)}")
    with _opened(found, file) as stored:
        return dict.fromkeys(stored.keys(), file)


def _find_table(found: Checkpoint, where: Mapping[str, Path], family: Family, config: Mapping[str, object]) -> str:
    """Find the tensor of the family's token table, under any prefix, or under the stack's own name for it."""
    for path in (family.tokens, *family.inputs):
        wanted = f"{path}.weight"
        names = [name for name in where if f".{name}".endswith(f".{wanted}")]
        if path != family.tokens:  # such as encoder.embed_tokens of mT5, but not a table of positions
            names = [name for name in names if _rows(found, where[name], name) == config.get("vocab_size")]
        if len(names) > 1 and wanted not in names:
            raise _no_table(found, f"{', '.join(sorted(names))} could all be it", "set model.family")
        if names:
            return wanted if wanted in names else names[0]
    names = sorted(where, key=lambda name: ("emb" not in name, name))
    listed = ", ".join(names[:6]) + (f" and {len(names) - 6} more" if len(names) > 6 else "")
    raise _no_table(found, f"no tensor's name ends in {family.tokens}.weight; it has {listed or 'no tensors'}")


def _read(found: Checkpoint, file: Path, name: str) -> Tensor:
    with _opened(found, file) as stored:
        if name not in stored.keys():  # noqa: SIM118  (not a mapping)
            raise _no_table(found, f"{file.name} lacks {name}, which {INDEX} places there")
        tensor: Tensor = stored.get_tensor(name)
        return tensor


def _rows(found: Checkpoint, file: Path, name: str) -> int | None:
    with _opened(found, file) as stored:
        shape = stored.get_slice(name).get_shape()
        return int(shape[0]) if len(shape) == 2 else None


def _is_tied(found: Checkpoint, where: Mapping[str, Path], weight: Tensor, config: Mapping[str, object]) -> bool | None:
    """Compare with the stored output table; without one, use what the configuration says."""
    for name in where:
        if any(f".{name}".endswith(f".{output}") for output in OUTPUTS):
            output = _read(found, where[name], name)
            # in blocks; the first block already tells most tables apart
            return output.shape == weight.shape and all(
                bool((output[i : i + BLOCK] == weight[i : i + BLOCK]).all()) for i in range(0, len(weight), BLOCK)
            )
    model_type = str(config.get("model_type"))
    default = AutoConfig.for_model(model_type) if model_type in CONFIG_MAPPING else None
    says = config.get("tie_word_embeddings", getattr(default, "tie_word_embeddings", None))
    return None if says is None else bool(says)


def _refuse_adapted(adapter: Path, family: Family) -> None:
    last = family.tokens.rsplit(".", 1)[-1]
    changed = [name for name in read_shapes(adapter) if f".{last}." in f".{name}"]
    if changed:
        raise ValueError(
            f"Expected the adapter in `model.checkpoint` to leave the token table as it is, but {adapter} has "
            f"{changed[0]}; merge it into its model and save that."
        )


def _file(found: Checkpoint, name: str) -> Path | None:
    """Locate a file in a folder, or fetch it from the Hub; None if the checkpoint has no such file."""
    try:
        path = cached_file(
            found.name_or_path, name, revision=found.revision, _raise_exceptions_for_missing_entries=not found.local
        )
    except OSError as error:
        if "does not appear to have a file named" in str(error):
            return None
        raise unreadable("weights that can be read", found, error) from error
    return None if path is None else Path(path)


def _listed(found: Checkpoint) -> str:
    if not found.local:
        return "other files"
    return ", ".join(sorted(path.name for path in Path(found.name_or_path).iterdir())[:12]) or "no files"


@contextmanager
def _opened(found: Checkpoint, file: Path) -> Iterator[safe_open]:
    # a shard of a Hub id is fetched when it is first needed
    path = file if file.is_file() else _file(found, file.name)
    if path is None:
        raise _no_table(found, f"{INDEX} names {file.name}, which is missing; it has {_listed(found)}")
    try:
        with safe_open(path, "pt") as stored:
            yield stored
    except (SafetensorError, OSError) as error:
        raise _no_table(found, f"{file.name} cannot be read: {error}") from error


def _no_table(
    found: Checkpoint, reason: str, remedy: str = "save the model there again with save_pretrained (safetensors)"
) -> ValueError:
    reason = " ".join(reason.split())[:500]
    return ValueError(
        f"Expected `model.checkpoint` to hold a token table, but no token table found in {str(found)!r} ({reason}); "
        f"{remedy}."
    )
