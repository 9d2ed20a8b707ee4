"""Whether a run folder holds a run of the given configuration, and where that differs."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from babelscope.verbs.config.conf import NO_MATTER


class RefusedError(ValueError):
    """The run folder is of another process, configuration, model or text, and stays as it is."""


def configurations(folder: Path) -> list[Path]:
    """Find run.yaml; a command over several models keeps one for each, in folders of their own, and none itself."""
    if (folder / "run.yaml").is_file():
        return [folder / "run.yaml"]
    # runs of other commands may lie in there, too
    return [path for path in sorted(folder.glob("*/run.yaml")) if _read_config(path).get("models")]


def is_finished(cfg: DictConfig, folder: Path) -> bool:
    """Whether the folder holds a finished run of this configuration; a damaged one is not, and its job says why."""
    config, manifest = folder / "run.yaml", folder / "manifest.json"
    if not (config.is_file() and manifest.is_file()):
        return False
    try:
        kept, told = _read_config(config), json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return False
    asked: Any = OmegaConf.to_container(cfg, resolve=True)
    same = all(kept.get(key) == asked.get(key) for key in {*kept, *asked} - {*NO_MATTER})
    return same and isinstance(told, dict) and bool(told.get("finished"))


def refuse_another(cfg: DictConfig, folder: Path, no_matter: Sequence[str] = NO_MATTER) -> None:
    """Refuse a folder that holds a run of another configuration, naming the first key that differs and matters.

    Raises:
        RefusedError: if it does; the key and both values are named.
    """
    kept_in = configurations(folder)
    if not kept_in:
        return
    kept = _read_config(kept_in[0])
    # where results go may be written in several ways, and other keys are made of it
    placed = {key: kept[key] for key in NO_MATTER if key in kept and key in cfg}
    whole: Any = OmegaConf.to_container(cfg)
    written = OmegaConf.to_yaml(OmegaConf.create({**whole, **placed}), resolve=True)
    asked: Any = OmegaConf.to_container(OmegaConf.create(written))
    several = ["model"] if cfg.get("models") else []  # one of them is in its place
    for key in (*NO_MATTER, *no_matter, *several):
        kept.pop(key, None)
        asked.pop(key, None)
    found = _first_difference(kept, asked)
    if found is not None:
        key, there, here = found
        inside = "" if kept_in[0].parent == folder else f" in {kept_in[0].parent.name}/"
        raise RefusedError(
            f"Expected {folder} to hold a run of this configuration, but got one{inside} with {key}={there} where this "
            f"one has {here}; choose another folder by output=FOLDER, or delete this one."
        )


def _read_config(path: Path) -> dict[str, Any]:
    """Read the configuration that a run has kept.

    Raises:
        RefusedError: if it is damaged.
    """
    try:
        return dict(OmegaConf.to_container(OmegaConf.load(path)))  # type: ignore[arg-type]
    except (YAMLError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())[:120]
        raise RefusedError(
            f"Expected {path} to hold the configuration of a run, but it cannot be read ({reason}); restore it, or "
            f"delete {path.parent} to run this again."
        ) from error


def _first_difference(kept: Any, asked: Any, key: str = "") -> tuple[str, str, str] | None:
    if not (isinstance(kept, dict) and isinstance(asked, dict)):
        return None if kept == asked else (key, _short(kept), _short(asked))
    for name in dict.fromkeys([*asked, *kept]):
        there, here = kept.get(name, _Absent), asked.get(name, _Absent)
        if found := _first_difference(there, here, f"{key}.{name}".removeprefix(".")):
            return found
    return None


class _Absent:
    """No such key."""


def _short(value: Any) -> str:
    text = "no such key" if value is _Absent else json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."
