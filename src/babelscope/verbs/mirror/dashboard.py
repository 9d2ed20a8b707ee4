"""Dashboards as code: from sections in YAML and what the runs have logged to panels, without wandb."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from typing import Any

from babelscope.report.table import Run
from babelscope.training.scalars import layer_scalars
from babelscope.verbs.errors import nearest
from babelscope.verbs.mirror.logger import compared, sweep_of

KINDS = ("lines", "bars", "scatter", "pictures")
EACH = (None, "section", "key")


@dataclass(frozen=True)
class Panel:
    """One panel."""

    kind: str
    """One of KINDS."""
    title: str
    keys: tuple[str, ...]
    """What is drawn, or what stands on the y-axis of a scatter."""
    x: str = ""
    """What stands on the x-axis."""
    by: str = ""
    """Key of the configuration by which runs are averaged."""


@dataclass(frozen=True)
class Section:
    """Panels under one heading."""

    name: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Dashboard:
    """Sections in their order, over the runs of some sweeps."""

    name: str
    sweeps: tuple[str, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class Wanted:
    """A panel as YAML asks for it."""

    kind: str
    keys: str
    """Pattern, as of a shell."""
    x: str = ""
    by: str = ""
    each: str | None = None
    """section: a panel for each text before the last slash; key: for each key, as in any scatter; None: one for all."""


def make_dashboard(
    name: str, sections: Sequence[Mapping[str, Any]], *, keys: Iterable[str], sweeps: Iterable[str]
) -> Dashboard:
    """Match what is wanted with what was logged; panels without a key, and sections without a panel, are left out.

    Raises:
        ValueError: if a section or a panel is malformed, or nothing is left.
    """
    known = sorted(set(keys))
    made = [
        Section(
            str(section.get("name")), tuple(panel for wanted in _wanted(section) for panel in _panels(wanted, known))
        )
        for section in sections
    ]
    kept = tuple(section for section in made if section.panels)
    if not kept:
        raise ValueError(
            f"Expected `dashboard.sections` to name keys that the runs have logged, but got none of {len(known)}, such "
            f"as {', '.join(known[:3])}; correct their `keys`."
        )
    return Dashboard(name, tuple(sorted(set(sweeps))), kept)


def logged_keys(run: Run) -> set[str]:
    """Name what a run has shown to wandb, by its rows."""
    rows = run.rows
    of_task = rows[(rows["layer"] == "") & (rows["language"] != "") & rows["metric"].str.match("validation_|test_")]
    keys = {f"{metric}/{language}" for metric, language in zip(of_task["metric"], of_task["language"], strict=True)}
    whole = rows[(rows["language"] == "") & (rows["other"] == "")]
    of_layers = layer_scalars(whole.to_dict("records")).keys()  # type: ignore[arg-type]
    contrast = {"alignment_loss"} if run.config.get("alignment") else set()
    return {*keys, *of_layers, *compared(run), *contrast, "train_loss", "layers_by_steps"}


def group_of(config: Mapping[str, Any]) -> str:
    """Name the group that a run has in wandb, which stays when its folder is moved."""
    group: Any = ((config.get("logger") or {}).get("wandb") or {}).get("group")
    return sweep_of(group["output"]) if isinstance(group, Mapping) else str(group or sweep_of(str(config["output"])))


def _wanted(section: Mapping[str, Any]) -> list[Wanted]:
    known = [field.name for field in fields(Wanted)]
    found = []
    for panel in section.get("panels") or []:
        for field in panel:
            if field not in known:
                raise ValueError(
                    f"Expected a panel of `dashboard.sections` to have {', '.join(known)}, but got {field!r}; nearest: "
                    f"{nearest(field, known)}."
                )
        for field, choices in (("kind", KINDS), ("each", EACH)):
            if panel.get(field) not in choices:
                raise ValueError(
                    f"Expected `{field}` of a panel of `dashboard.sections` to be one of "
                    f"{', '.join(map(str, choices))}, but got {panel.get(field)!r}; correct it."
                )
        if not panel.get("keys"):
            raise ValueError(
                f"Expected a panel of `dashboard.sections` to have `keys`, but got {dict(panel)}; add them."
            )
        found.append(Wanted(**panel))
    return found


def _panels(wanted: Wanted, known: Sequence[str]) -> list[Panel]:
    matched = [key for key in known if fnmatchcase(key, wanted.keys)]
    if wanted.kind == "scatter":
        matched = matched if wanted.x in known else []
    each = "key" if wanted.kind == "scatter" else str(wanted.each)
    groups: dict[str, list[str]] = {}
    for key in matched:
        title = {"section": key.rpartition("/")[0] or key, "key": key}.get(each, wanted.keys)
        groups.setdefault(title, []).append(key)
    titles = {title: f"{title} by {wanted.x}" if wanted.kind == "scatter" else title for title in groups}
    return [Panel(wanted.kind, titles[title], tuple(keys), wanted.x, wanted.by) for title, keys in groups.items()]
