"""Find a checkpoint: a folder, one step inside a folder, saved adapters, or a Hub id."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from babelscope.models.adapters import read_adapter
from babelscope.models.families import Task


@dataclass(frozen=True)
class Checkpoint:
    """Where a model's files are."""

    place: str
    """Folder or Hub id of the model itself."""
    revision: str | None
    """Of a Hub id."""
    trust_remote_code: bool
    adapter: Path | None = None
    """Folder of adapters that were saved apart from the model."""
    adapter_task: Task = "base"
    """What these were trained for."""

    @property
    def local(self) -> bool:
        """Whether the model's files are in a folder."""
        return Path(self.place).is_dir()

    def labels(self) -> dict[str, Any]:
        """The labels of a classifier that was saved as adapters; nothing where the model's own configuration holds."""
        file = Path() if self.adapter is None else self.adapter / "config.json"
        if self.adapter_task != "topic" or not file.is_file():
            return {}
        config = json.loads(file.read_text(encoding="utf-8"))
        return {key: config[key] for key in ("id2label", "label2id") if key in config}

    def __str__(self) -> str:
        return self.place if self.revision is None else f"{self.place} at revision {self.revision}"


def find(checkpoint: str | Path, revision: str | None, trust_remote_code: bool) -> Checkpoint:
    """Find out what a name stands for, and check a folder before anything is loaded from it.

    Raises:
        ValueError: if there is no such folder or revision in it, or it holds no configuration with a model type.
    """
    folder = _trained(Path(checkpoint).expanduser())
    if not folder.is_dir():
        _refuse_path(checkpoint, folder)
        return Checkpoint(str(checkpoint), revision, trust_remote_code)
    folder = folder if revision is None else _at_revision(folder, revision)
    if (folder / "adapter_config.json").is_file():
        made_for = read_adapter(folder)
        base = find(made_for.base, made_for.revision, trust_remote_code)
        return Checkpoint(base.place, base.revision, trust_remote_code, folder, made_for.task)
    _check_config(folder)
    return Checkpoint(str(folder), None, trust_remote_code)


def _trained(folder: Path) -> Path:
    """Take a run folder of `babelscope train` for the model in it."""
    if not (folder / "manifest.json").is_file() or (folder / "config.json").is_file():
        return folder
    if not (folder / "model").is_dir():
        raise ValueError(
            f"Expected `model.checkpoint` to be a checkpoint or a run that kept its model, but {folder} kept none; "
            "delete it and train it again with `export` among its callbacks."
        )
    return folder / "model"


def in_one_line(wanted: str, found: Checkpoint, error: Exception) -> str:
    """Say in one line what is wrong with a checkpoint: libraries say it in many."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reason = " ".join(lines)[:300] if lines else type(error).__name__
    remedy = (
        "check the folder, or save the model there again with save_pretrained (safetensors)"
        if found.local
        else "check the id, the revision and the network, or download the model and give its folder"
    )
    return f"Expected `model.checkpoint` to have {wanted}, but got {str(found)!r} ({reason}); {remedy}."


def _refuse_path(checkpoint: str | Path, folder: Path) -> None:
    """A Hub id has at most one slash and does not begin in a folder that exists."""
    name = str(checkpoint)
    nested = folder.parent != Path() and folder.parent.is_dir()
    if folder.exists() or nested or name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ValueError(
            f"Expected `model.checkpoint` to be a folder or a Hub id, but got {name!r}, where there is no folder; "
            "give the folder that holds config.json and model.safetensors."
        )


def _revisions(folder: Path) -> list[str]:
    names = ("config.json", "adapter_config.json")
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
