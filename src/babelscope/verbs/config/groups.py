"""The groups that a verb takes choices from, and the keys that the shipped files of a group have."""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from babelscope.verbs.config.conf import conf_folder

GLOBAL = "# @package _global_"
"""The first line of a file whose keys stand at the top of the configuration, and not below the name of its group."""


@dataclass(frozen=True)
class Group:
    """A folder of `conf`."""

    name: str
    default: Any
    """What the verb chooses by itself: a name, a list of names, or null."""
    keys: frozenset[str]
    """What its files have below the group's name."""
    top: frozenset[str]
    """What its files have at the top of the configuration."""

    @property
    def is_list(self) -> bool:
        """Whether several may be chosen, each below its own name."""
        return isinstance(self.default, list)

    @property
    def has_target(self) -> bool:
        """Whether its choices are called, so that a signature says which keys they take."""
        return "_target_" in self.keys


@cache
def groups_of(verb: str) -> tuple[Group, ...]:
    """Read the groups that a verb's file takes choices from."""
    file: Any = OmegaConf.to_container(OmegaConf.load(conf_folder() / f"{verb}.yaml"), resolve=False)
    entries = [entry for entry in file["defaults"] if isinstance(entry, dict)]
    return tuple(read_group(name, default) for entry in entries for name, default in entry.items())


def read_group(name: str, default: Any = None) -> Group:
    """Read the keys of a group's files; a folder that is not shipped has none."""
    found: dict[bool, set[str]] = {True: set(), False: set()}
    for path in (conf_folder() / name).glob("*.yaml"):
        found[path.read_text(encoding="utf-8").startswith(GLOBAL)] |= keys_of(path)
    return Group(name, default, frozenset(found[False]), frozenset(found[True]))


def choices_of(name: str) -> list[str]:
    """Name the shipped choices of a group, but for that of nothing."""
    return sorted({file.stem for file in (conf_folder() / name).glob("*.yaml")} - {"default", "none"})


def keys_of(path: Path) -> set[str]:
    """Read what a shipped file has at its top, but for what Hydra reads; YAML itself would take 50 times as long."""
    return {*re.findall(r"^(\w+):", path.read_text(encoding="utf-8"), re.MULTILINE)} - {"defaults", "hydra"}
