"""Keys for a choice that was not made: all that a configuration has of it, and nothing to build by them."""

from typing import Any

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from babelscope.verbs.config.groups import Group, choices_of, groups_of


def refuse_unchosen(cfg: DictConfig) -> None:
    """Refuse the keys of an adapter, a metric, a callback and so on where the thing itself is not chosen.

    Raises:
        ValueError: if there are some; how to choose it is said.
    """
    for group in groups_of(str(HydraConfig.get().job.config_name)):
        node = cfg.get(group.name)
        if not OmegaConf.is_dict(node):
            continue
        if group.is_list:
            for name, member in node.items():
                _refuse_unchosen_member(group, str(name), member)
        elif group.has_target and not _is_whole(node):
            choices = " or ".join(choices_of(group.name))
            raise ValueError(
                f"Expected `{group.name}` to be chosen before its keys are set, but got {node} alone; choose "
                f"{group.name}={choices} as well (in a file, `- override /{group.name}: NAME` among its defaults), or "
                "leave them out."
            )


def _refuse_unchosen_member(group: Group, name: str, member: Any) -> None:
    if not _is_whole(member):
        shown = "null" if member is None else member
        raise ValueError(
            f"Expected `{group.name}.{name}` to be chosen before its keys are set, but got {shown} alone; write "
            f"{group.name}=[{name}], or {group.name}=[...,{name}] beside others, to choose it as well, or remove it by "
            f"'~{group.name}.{name}'."
        )


def _is_whole(node: Any) -> bool:
    return OmegaConf.is_dict(node) and "_target_" in node
