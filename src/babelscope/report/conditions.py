"""What else than setting, seed and source language was configured, and where runs differ in it."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from babelscope.report.comparable import say_groups
from babelscope.report.config_keys import PLACES, changes_numbers, makes_setting
from babelscope.report.runs import counted, labels, model_names, source_of, task_of
from babelscope.report.table import Run

SOURCE = "(source language)"
SAID = ("languages", "metrics", "pool", "sentences")
"""Groups and keys that `comparable` compares, by what was measured."""


def conditions_of(run: Run) -> dict[str, str]:
    """List the configuration but for seeds, source language and places: key with dots, value as JSON."""
    kept = {name: value for name, value in run.config.items() if name not in PLACES}
    ignored = ("task.language",)
    flat = {key: json.dumps(value, ensure_ascii=False) for key, value in _flatten(kept) if key not in ignored}
    # null is what an older configuration leaves out
    return {key: value for key, value in flat.items() if value not in ("null", "{}") and not key.endswith(".seed")} | {
        SOURCE: json.dumps(source_of(run), ensure_ascii=False)
    }


def differing_conditions(conditions: Sequence[Mapping[str, str]]) -> dict[str, dict[str, int]]:
    """Find where runs differ in more than their settings: by key, every value and how many runs have it.

    A value that follows the source language is no difference, nor is a key on which no number depends.

    Args:
        conditions: of each run, as `conditions_of` lists them.
    """
    known = dict.fromkeys(key for found in conditions for key in found)
    keys = [key for key in known if key != SOURCE and not makes_setting(key) and changes_numbers(key)]
    differing = {}
    for key in keys:
        values = [found.get(key, "null") for found in conditions]
        follows = [SOURCE if value == found[SOURCE] else value for value, found in zip(values, conditions, strict=True)]
        if len(set(values)) > 1 and len(set(follows)) > 1:
            differing[key] = dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))
    return differing


def describe_differing(differing: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Say each differing key with its values."""
    said = {
        key: [f"{_short(value)} ({counted(count, 'run')})" for value, count in values.items()]
        for key, values in differing.items()
    }
    return [f"{key}: {'; '.join(values)}" for key, values in said.items()]


def say_also(runs: Sequence[Run]) -> str:
    """Say in what runs beside each other differ that their labels do not tell; "" where in nothing.

    A run without a task, as of a probe, has no training to be configured, so it is compared with its like.
    """
    told = _told(runs)
    found: dict[str, dict[str, list[int]]] = {}
    for tuned in (True, False):
        places = [place for place, run in enumerate(runs) if bool(task_of(run)) == tuned]
        conditions = {place: conditions_of(runs[place]) for place in places}
        for key in differing_conditions(list(conditions.values())):
            if not {key, key.partition(".")[0]} & told:
                groups = found.setdefault(key, {})
                for place in places:
                    groups.setdefault(_short(conditions[place].get(key, "null")), []).append(place)
    if not found:
        return ""
    said = say_groups(found, labels(runs))
    return f"These runs differ also in: {said}. Differences between them may come from that as well."


def _told(runs: Sequence[Run]) -> set[str]:
    """List the keys and groups of keys in which runs differ by what the page says of them already."""
    named = {
        "model": model_names(runs),
        "model.revision": [str(run.manifest.get("revision") or "") for run in runs],
        "task": [task_of(run) for run in runs],
    }
    return {*SAID, *(key for key, names in named.items() if len({*names} - {""}) > 1)}


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        items: Iterable[tuple[Any, Any]] = value.items()
        for name, inner in items:
            yield from _flatten(inner, f"{prefix}.{name}" if prefix else str(name))
    else:
        yield prefix, value


def _short(value: str) -> str:
    return value if len(value) <= 80 else f"{value[:60]} ... ({len(value)} characters)"
