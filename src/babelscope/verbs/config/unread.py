"""Keys that nothing reads: misspelt in a user's own YAML file, which Hydra merges whatever its keys are."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from babelscope.verbs.config.conf import conf_folder
from babelscope.verbs.config.groups import GLOBAL, groups_of, keys_of, read_group
from babelscope.verbs.errors import nearest

Place = tuple[str, ...]
"""The keys that lead to a value, from the top of the configuration."""

REFERENCE = re.compile(r"\$\{(?:oc\.[\w.]+:)?\s*(\.*)([^\s{}:,$]*)")
"""An interpolation, or the key that a resolver such as `oc.select` is for; more dots reach further up."""


def refuse_unread(cfg: DictConfig) -> None:
    """Refuse a key at the top, or in a group without a signature, that nothing has a use for.

    The files of the verb and of its groups say which there are. Besides these, a key may stand where `+key=VALUE` of
    the command put it, where a shipped experiment has it for another verb, and where an interpolation reads it.

    Raises:
        ValueError: if there is one; what is most like it is named.
    """
    known = _known(str(HydraConfig.get().job.config_name))
    odd = [path for place, keys in known.items() for path in _paths(cfg, place) if path[-1] not in keys]
    odd = [path for path in odd if not _is_added(path)]
    if odd:  # what is slow is left for when it may matter
        shipped, read = _shipped(), list(_references(_whole(cfg)))
        for path in odd:
            if path not in shipped and not any(_reads(by, target, path) for by, target in read):
                raise ValueError(_refusal(path, known))


def _known(verb: str) -> dict[str, set[str]]:
    """Tell which keys there are, by the group that they are in; "" is the top."""
    top = keys_of(conf_folder() / "base.yaml") | keys_of(conf_folder() / f"{verb}.yaml")
    inside: dict[str, set[str]] = {}
    for group in groups_of(verb):
        if group.keys:
            top.add(group.name)
        if group.default is not None:  # an experiment may be for several verbs
            top |= group.top
        if group.keys and not group.is_list and not group.has_target:
            inside[group.name] = set(group.keys)
    return {"": top, **inside}


def _paths(cfg: DictConfig, place: str) -> list[Place]:
    node = cfg.get(place) if place else cfg
    at = (place,) if place else ()
    return [(*at, str(key)) for key in node] if OmegaConf.is_dict(node) else []


def _is_added(path: Place) -> bool:
    """Whether the command added it, or what is around it or in it."""
    added = [override for override in HydraConfig.get().overrides.task if override.startswith("+")]
    places = (place for override in added for place in override.lstrip("+").partition("=")[0].split("@"))
    keys = (tuple(place.split(".")) for place in places)
    return any(key[: len(path)] == path[: len(key)] for key in keys)


def _shipped() -> set[Place]:
    """Collect what the shipped files that Hydra composed have at the top, also those that another file builds on."""
    settings = HydraConfig.get()
    given = [*settings.overrides.hydra, *settings.overrides.task]
    loader = GlobalHydra.instance().config_loader()
    composed: Any = loader.compute_defaults_list(settings.job.config_name, given, RunMode.RUN)
    files = (conf_folder() / f"{file.config_path}.yaml" for file in composed.defaults if file.package == "")
    return {(key,) for file in files if file.is_file() for key in keys_of(file)}


def _whole(cfg: DictConfig) -> dict[str, Any]:
    """Take the configuration with Hydra's own part, as the files have it."""
    own: Any = OmegaConf.to_container(cfg, resolve=False)
    hydra: Any = OmegaConf.to_container(OmegaConf.create({"hydra": HydraConfig.get()}), resolve=False)
    return {**own, **hydra}


def _references(node: Any, at: Place = ()) -> Iterator[tuple[Place, Place]]:
    """Find where interpolations stand, each with what it reads."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _references(value, (*at, str(key)))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _references(value, (*at, str(index)))
    elif isinstance(node, str):
        for dots, keys in REFERENCE.findall(node):
            base = at[: max(len(at) - len(dots), 0)] if dots else ()
            yield at, (*base, *filter(None, re.split(r"[.\[\]]", keys)))


def _reads(by: Place, target: Place, path: Place) -> bool:
    """Whether an interpolation reads a key or what is in it, from elsewhere."""
    return target[: len(path)] == path != by[: len(path)]


def _refusal(path: Place, known: Mapping[str, Iterable[str]]) -> str:
    *above, key = path
    choice = HydraConfig.get().runtime.choices.get(key)
    if not above and choice is not None and not read_group(key).keys:
        return (
            f"Expected the file of {key}={choice} to have `{GLOBAL}` as its first line, but got its keys below "
            f"`{key}`, where nothing reads them; add that line, and save the file as UTF-8 without a byte-order mark."
        )
    whose = f"`{above[0]}`" if above else "this verb"
    elsewhere = [f"{place}.{key}" for place, keys in known.items() if place and key in keys]
    near = ", ".join(elsewhere) or nearest(key, known["".join(above)])
    return (
        f"Expected a key of {whose}, but got `{'.'.join(path)}` from a YAML file, and nothing reads it; nearest: "
        f"{near}; correct it there, or add it on purpose by +{'.'.join(path)}=VALUE on the command line."
    )
