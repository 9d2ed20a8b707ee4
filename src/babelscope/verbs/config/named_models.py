"""Models by their names in `conf/model`, beside the one that the command chooses."""

from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf


def model_names() -> list[str]:
    """Return the names of the files of `conf/model` that are models."""
    return sorted({*GlobalHydra.instance().config_loader().get_group_options("model")} - {"default"})


def choose_model(name: str) -> dict[str, Any]:
    """Compose what this verb has under `model` with one choice of it."""
    node = compose(HydraConfig.get().job.config_name, overrides=[f"model={name}"]).model
    plain: Any = OmegaConf.to_container(node, resolve=False)
    return plain
