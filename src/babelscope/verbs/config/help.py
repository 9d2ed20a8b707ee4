"""What `babelscope VERB --help` shows: its groups with their choices, and its keys as its YAML file explains them."""

import re
from collections.abc import Mapping
from textwrap import fill, indent
from typing import Any

from hydra.core.global_hydra import GlobalHydra

from babelscope.verbs.config.conf import conf_folder
from babelscope.verbs.config.groups import groups_of

WIDTH = 120


def describe_verb(verb: str) -> str:
    """Describe a verb below the header of its help, as a part of Hydra's template, in which `$$` stands for `$`."""
    text = _read(verb)
    groups = {group.name: group.default for group in groups_of(verb)}
    parts = [
        _about(text, verb),
        _section("Groups (GROUP=CHOICE; in brackets the default)", _choices(groups)),
        _section("Keys (KEY=VALUE)", _keys(text)),
    ]
    if "model" in groups:
        parts += [
            _section("Keys of all verbs that compute", _keys(_read("base"))),
            "-m sweeps over comma-separated values; hydra/launcher=workers, slurm, slurm_gpu or slurm_gpus runs "
            "several jobs at once.",
        ]
    parts.append(f"babelscope {verb} --cfg job shows the composed configuration, with the keys of the chosen groups.")
    return "\n\n".join(filter(None, parts)).replace("$", "$$")


def _read(name: str) -> str:
    return (conf_folder() / f"{name}.yaml").read_text(encoding="utf-8")


def _about(text: str, verb: str) -> str:
    """Take the comment at the top of the file."""
    told = text.partition("\n")[0].removeprefix("#").strip().removeprefix(f"babelscope {verb}:").strip()
    return fill(told[:1].upper() + told[1:], WIDTH)


def _choices(groups: Mapping[str, Any]) -> str:
    """List the choices of groups, among them those of the user's own folder."""
    loader = GlobalHydra.instance().config_loader()
    lines = []
    for group, default in groups.items():
        shown = f"[{','.join(default)}]" if isinstance(default, list) else default
        choices = [name for name in loader.get_group_options(group) if name != "default" or default == name]
        line = f"{group}{f' ({shown})' if default else ''}: {', '.join(sorted(choices))}"
        lines.append(fill(line, WIDTH - 2, subsequent_indent="  ", break_on_hyphens=False, break_long_words=False))
    return "\n".join(lines)


def _keys(text: str) -> str:
    """Take the keys and their comments, but for what Hydra reads."""
    _, *blocks = re.split(r"^(?=\w+:)", text, flags=re.MULTILINE)
    return "".join(block for block in blocks if not block.startswith(("defaults:", "hydra:"))).strip()


def _section(title: str, body: str) -> str:
    return f"{title}:\n{indent(body, '  ')}" if body else ""
