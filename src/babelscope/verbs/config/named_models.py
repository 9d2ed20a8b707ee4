"""Models by their names in `conf/model`, beside the one that the command chooses."""

from typing import Any

from hydra import compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from omegaconf import OmegaConf

from babelscope.verbs.config.unread import refuse_unread


def model_names() -> list[str]:
    """Return the names of the files of `conf/model` that are models."""
    return sorted({*GlobalHydra.instance().config_loader().get_group_options("model")} - {"default"})


def choose_model(name: str) -> dict[str, Any]:
    """Compose what this verb has under `model` with one choice of it.

    Raises:
        ValueError: if it has a key that nothing reads.
    """
    cfg = compose(HydraConfig.get().job.config_name, overrides=[f"model={name}"])
    refuse_unread(cfg)
    plain: Any = OmegaConf.to_container(cfg.model, resolve=False)
    return plain
