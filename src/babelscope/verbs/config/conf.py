"""Where the YAML files are, and the functions that they call."""

import hashlib
import json
import netrc
import os
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

NO_MATTER = ("hydra", "output", "cache", "store", "logger", "page")
"""Parts of a configuration that no number depends on."""


def conf_folder() -> Path:
    """Where the YAML files are: inside an installed wheel, or at the top of a checkout."""
    inside = Path(__file__).parents[2] / "conf"
    return inside if inside.is_dir() else Path(__file__).parents[4] / "conf"


def register_resolvers(new: set[Path]) -> None:
    """Give the configuration its functions.

    Args:
        new: Receives every folder of a run that is not there yet as Hydra asks for its name, which it then makes.
    """

    def run_folder(output: Any) -> str:
        if output is None or not str(output).strip():
            given = "null" if output is None else repr(output)
            raise ValueError(f"Expected `output` to be a folder, but got {given}; leave it out, or name one.")
        folder = Path(str(output)).expanduser().absolute()
        new.update(path for path in (folder, *folder.parents) if not path.exists())
        return str(folder)

    OmegaConf.register_new_resolver("run_folder", run_folder, replace=True)
    OmegaConf.register_new_resolver("name_of", name_of, replace=True)
    OmegaConf.register_new_resolver("names_of", _names_of, replace=True)
    OmegaConf.register_new_resolver("rate_of", rate_of, replace=True)
    OmegaConf.register_new_resolver("fingerprint", _fingerprint, replace=True)
    OmegaConf.register_new_resolver("no_wandb_account", _no_wandb_account, replace=True)


def name_of(checkpoint: str | None, choice: str) -> str:
    """Name a model by the last part of its checkpoint, or by the file it was chosen by."""
    parts = Path(str(checkpoint)).parts if checkpoint else (choice,)
    return parts[-2] if parts[-1] == "model" and len(parts) > 1 else parts[-1]


def rate_of(checkpoint: str | None, rate: float) -> float:
    """Return the learning rate of a recipe's own small model, or the usual one where a checkpoint takes its place."""
    if not checkpoint:
        return rate
    return float(OmegaConf.load(conf_folder() / "model" / "default.yaml").learning_rate)


def _names_of(models: Any, name: str) -> str:
    if not OmegaConf.is_list(models):  # what is neither that nor null is refused by the verb
        return name
    names = [Path(str(model)).name for model in models]
    return "-".join(names[:4]) + (f"-and-{len(names) - 4}-more" if len(names) > 4 else "")


def _no_wandb_account() -> bool:
    if os.environ.get("WANDB_MODE") == "disabled":  # which Lightning overwrites where a run is to be offline
        return False
    try:
        hosts = netrc.netrc().hosts
    except (OSError, netrc.NetrcParseError):
        hosts = {}
    return "WANDB_API_KEY" not in os.environ and not any("wandb" in host for host in hosts)


def fingerprint(cfg: DictConfig) -> str:
    """Hash what the numbers depend on: the same command means the same folder, and a changed one another.

    Values are resolved first, for some come from the environment.
    """
    whole: Any = OmegaConf.to_container(cfg)
    kept = OmegaConf.create({**whole, **dict.fromkeys(NO_MATTER, "")})
    resolved = json.dumps(OmegaConf.to_container(kept, resolve=True), sort_keys=True, default=str)
    return hashlib.sha256(resolved.encode()).hexdigest()[:8]


def _fingerprint(*, _root_: DictConfig) -> str:
    return fingerprint(_root_)
