"""Launchers of our own, made known to Hydra."""

from typing import Any

from hydra.core.plugins import Plugins
from hydra.experimental.callback import Callback
from hydra.utils import get_class
from omegaconf import DictConfig

PLACE = "hydra_plugins.babelscope"
"""Where the YAML says that a launcher is: Hydra takes launchers from hydra_plugins only."""


class Register(Callback):
    """Make a launcher known to Hydra before it looks for it; named in `conf/hydra/launcher`.

    Args:
        launcher: Path of the class, which the YAML names as `PLACE.CLASS`.
    """

    def __init__(self, launcher: str):
        self.launcher = launcher

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Import the launcher, for a sweep alone."""
        found = get_class(self.launcher)
        Plugins.instance().class_name_to_class[f"{PLACE}.{found.__name__}"] = found
