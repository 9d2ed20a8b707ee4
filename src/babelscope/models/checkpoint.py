"""Find a checkpoint: a folder, one step inside a folder, saved adapters, or a Hub id."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn

from babelscope.models.families import Head
from babelscope.models.saved_adapters import CONFIG, WEIGHTS, count_labels, read_adapter, read_shapes


@dataclass(frozen=True)
class Checkpoint:
    """Location of a model's files."""

    name_or_path: str
    """Folder or Hub id of the model itself."""
    revision: str | None
    """Revision of a Hub id."""
    trust_remote_code: bool
    adapter: Path | None = None
    """Folder of adapters that were saved separately from the model."""
    adapter_head: Head = "base"
    """Head that the adapters were trained with."""

    @property
    def local(self) -> bool:
        """Whether the model's files are in a folder."""
        return Path(self.name_or_path).is_dir()

    def labels(self) -> dict[str, Any]:
        """The labels of a classifier that was saved as adapters; empty if the model's own configuration applies."""
        if self.adapter is None or self.adapter_head not in ("classification", "token_classification"):
            return {}
        file = self.adapter / "config.json"
        config = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
        names = {key: config[key] for key in ("id2label", "label2id") if key in config}
        if "id2label" in names:  # keys of JSON are text
            names["id2label"] = {int(number): name for number, name in names["id2label"].items()}
        # PEFT saves no model configuration: one beside its adapters may belong to another head, or to none
        count = count_labels(self.adapter)
        return names if count in (None, len(names.get("id2label", ()))) else {"num_labels": count}

    def adapter_tensors(self) -> set[str]:
        """Names of the tensors saved with the adapters; head parameters among them replace the model's own."""
        return set() if self.adapter is None else set(read_shapes(self.adapter))

    def __str__(self) -> str:
        return self.name_or_path if self.revision is None else f"{self.name_or_path} at revision {self.revision}"


def resolve_checkpoint(checkpoint: str | Path, revision: str | None, trust_remote_code: bool) -> Checkpoint:
    """Resolve a checkpoint name, and check its folder before anything is loaded from it.

    Raises:
        ValueError: if the folder or its revision does not exist, or has no configuration with a model type.
    """
    folder = _locate(checkpoint, revision)
    if folder is None:
        return Checkpoint(str(checkpoint), revision, trust_remote_code)
    if not (folder / CONFIG).is_file():
        _check_config(folder)
        return Checkpoint(str(folder), None, trust_remote_code)
    made_for = read_adapter(folder)
    try:
        base = _locate(made_for.base, made_for.revision)
    except ValueError as error:
        raise ValueError(
            f"Expected the model that the adapter in {folder} was made for to be there, but got {made_for.base!r}, "
            f"where there is none; correct base_model_name_or_path in {folder / CONFIG}."
        ) from error
    if base is None:
        return Checkpoint(made_for.base, made_for.revision, trust_remote_code, folder, made_for.head)
    # adapters saved into the folder of their own model are not stacked
    if (base / CONFIG).is_file() and not base.samefile(folder):
        raise _stacked(folder, base)
    _check_config(base)
    return Checkpoint(str(base), None, trust_remote_code, folder, made_for.head)


def name_base(model: nn.Module, found: Checkpoint) -> None:
    """Let adapters name the model that they are made for so that it is found from any folder, at its revision."""
    for config in getattr(model, "peft_config", {}).values():
        config.base_model_name_or_path = str(Path(found.name_or_path).resolve()) if found.local else found.name_or_path
        config.revision = None if found.local else found.revision


def _locate(checkpoint: str | Path, revision: str | None) -> Path | None:
    """Return the folder that a name refers to; None for a Hub id."""
    folder = _trained(Path(checkpoint).expanduser())
    if not folder.is_dir():
        _refuse_path(checkpoint, folder)
        return None
    return folder if revision is None else _at_revision(folder, revision)


def _stacked(folder: Path, base: Path) -> ValueError:
    """Make the error for an adapter on top of another: both cannot act in one model, the inner one would be lost."""
    inner = read_adapter(base).base
    remedy = (
        "merge this one into its model (PeftModel.from_pretrained(...).merge_and_unload().save_pretrained(...)) and "
        f"name the merged model as base_model_name_or_path in {folder / CONFIG}"
    )
    if Path(inner).expanduser().resolve() == folder.resolve():
        remedy = "name the model that they were trained on as base_model_name_or_path in both"
    elif any(base.glob("model*.safetensors")):
        remedy = (
            f"if it was trained on the model in {base} alone, or in the place of that adapter, as by `train` on that "
            f"folder, move {CONFIG} and {WEIGHTS} out of it; if with both, {remedy}"
        )
    return ValueError(
        f"Expected the adapter in `model.checkpoint` to be made for a model without adapters, but that of {folder} is "
        f"made for {base}, which holds an adapter made for {inner!r}; {remedy}."
    )


def _trained(folder: Path) -> Path:
    """Map a run folder of `babelscope train` to the model inside it."""
    if not (folder / "manifest.json").is_file() or (folder / "config.json").is_file():
        return folder
    if not (folder / "model").is_dir():
        raise ValueError(
            f"Expected `model.checkpoint` to be a checkpoint or a run that kept its model, but {folder} kept none; "
            "delete it and train it again with `export` among its callbacks."
        )
    return folder / "model"


def unreadable(wanted: str, found: Checkpoint, error: Exception) -> ValueError:
    """Make the error for a checkpoint that a library cannot read: one line, where the library's takes many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = " ".join(lines)[:300] if lines else type(error).__name__
    remedy = (
        "check the folder, or save the model there again with save_pretrained (safetensors)"
        if found.local
        else "check the id, the revision and the network, or download the model and give its folder"
    )
    return ValueError(f"Expected `model.checkpoint` to have {wanted}, but got {str(found)!r} ({reason}); {remedy}.")


def _refuse_path(checkpoint: str | Path, folder: Path) -> None:
    """Refuse a path without a folder; a Hub id has at most one slash and does not begin with an existing folder."""
    name = str(checkpoint)
    nested = folder.parent != Path() and folder.parent.is_dir()
    if folder.exists() or nested or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ValueError(
            f"Expected `model.checkpoint` to be a folder or a Hub id, but got {name!r}, where there is no folder; "
            "give the folder that holds config.json and model.safetensors."
        )


def _revisions(folder: Path) -> list[str]:
    names = ("config.json", CONFIG)
    return sorted(child.name for child in folder.iterdir() if any((child / name).is_file() for name in names))


def _at_revision(folder: Path, revision: str) -> Path:
    if (folder / revision).is_dir():
        return folder / revision
    raise ValueError(
        f"Expected `model.revision` to be a subfolder of {folder}, but got {revision!r}; "
        f"it has {', '.join(_revisions(folder)) or 'none, so leave model.revision out'}."
    )


def _check_config(folder: Path) -> None:
    file = folder / "config.json"
    if not file.is_file():
        raise ValueError(
            f"Expected `model.checkpoint` to be a folder with a config.json, but {folder} has none; give a folder "
            f"that save_pretrained wrote, or a model.revision of this one ({', '.join(_revisions(folder)) or 'none'})."
        )
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(
            f"Expected config.json in `model.checkpoint` to be JSON, but {file} is not ({error}); save the model again."
        ) from error
    if not isinstance(config, dict) or not config.get("model_type"):
        raise ValueError(
            f"Expected config.json in `model.checkpoint` to have a model_type, but {file} has none; "
            'add one, such as "model_type": "xlm-roberta".'
        )
