"""Which runs of a setting are replicates: those that differ in the seed alone, and not in how they were made."""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import NamedTuple

from babelscope.report.conditions import SOURCE
from babelscope.report.config_keys import MEASURES, changes_numbers, makes_setting
from babelscope.report.runs import tell_apart

LONGEST = 24
"""Characters of a value in a label."""


class Cell(NamedTuple):
    """What replicates have in common by their names."""

    model: str
    task: str
    source: str
    setting: str


class Names(NamedTuple):
    """How a run is called beside others."""

    setting: str
    """With what else differs within it, such as "lora, adapter.r=16"."""
    variant: str
    """How it was trained and measured where the study has several ways, such as "pool=published"; else ""."""


def name_variants(cells: Sequence[Cell], conditions: Sequence[Mapping[str, str]]) -> list[Names]:
    """Name runs so that replicates, and only they, have the same model, task, source language and names.

    What differs within a cell is what cannot be averaged over. Where it is of the kind that makes a setting, it makes
    another setting; anything else makes a study of its own, for all settings of model and task, so that each is
    compared with its like. What differs between settings only stays where it is: it may be what they are about.

    Args:
        cells: Of each run.
        conditions: Of each run, as `conditions_of` lists them.
    """
    names = [Names(cell.setting, "") for cell in cells]
    for study in _group(range(len(cells)), lambda place: cells[place][:2]):
        split = {
            place: _differing([conditions[place] for place in cell])
            for cell in _group(study, lambda place: cells[place])
            for place in cell
        }
        ways = {key for place in study for key in split[place] if not makes_setting(key)}
        variants = _labels(study, conditions, ways)
        for same in _group(study, lambda place: cells[place].setting):
            own = {key for place in same for key in split[place] if makes_setting(key)}
            for place, label in _labels(same, conditions, own).items():
                setting = ", ".join(filter(None, [cells[place].setting, label]))
                names[place] = Names(setting, variants[place])
    return names


def _group(places: Iterable[int], key: Callable[[int], Hashable]) -> list[list[int]]:
    groups: dict[Hashable, list[int]] = {}
    for place in places:
        groups.setdefault(key(place), []).append(place)
    return list(groups.values())


def _differing(conditions: Sequence[Mapping[str, str]]) -> list[str]:
    """List the keys in which runs of one cell differ."""
    # what all have alike is most, and quickly passed over: sweeps have hundreds of runs
    shared = set.intersection(*(set(found.items()) for found in conditions))
    keys = {key for found in conditions for key, value in found.items() if (key, value) not in shared}
    return [
        key
        for key in keys
        if key != SOURCE and changes_numbers(key) and len({_value(found, key) for found in conditions} - {None}) > 1
    ]


def _value(conditions: Mapping[str, str], key: str) -> str | None:
    """Read a condition; None where the run does not measure what it is of, which is no difference."""
    group, _, rest = key.partition(".")
    owner = f"{group}.{rest.partition('.')[0]}"
    measures = group == "metrics" or owner in MEASURES
    if measures and not any(f"{name}.".startswith(f"{owner}.") for name in conditions):
        return None
    return conditions.get(key, "null")


def _labels(places: Sequence[int], conditions: Sequence[Mapping[str, str]], keys: Iterable[str]) -> dict[int, str]:
    """Say of each run what it has of the differing keys; of those that go together only the one nearest to the top."""
    said: dict[int, list[str]] = {place: [] for place in places}
    known: set[tuple[int, ...]] = set()
    for key in sorted(keys, key=lambda key: (_shown(key).count("."), key)):
        values = [_value(conditions[place], key) for place in places]
        distinct = sorted({value for value in values if value is not None})
        parts = tuple(-1 if value is None else values.index(value) for value in values)
        if parts in known:
            continue
        known.add(parts)
        shown = tell_apart(
            [_brief(value, key) for value in distinct], [f" #{place}" for place, _ in enumerate(distinct, start=1)]
        )
        for place, value in zip(places, values, strict=True):
            if value is not None:
                said[place].append(f"{_shown(key)}={shown[distinct.index(value)]}")
    return {place: ", ".join(parts) for place, parts in said.items()}


def _shown(key: str) -> str:
    return key.removesuffix("._target_")


def _brief(value: str, key: str) -> str:
    """Write a value as it is given: text without quotes, a function by its last name, what is long cut off."""
    read = json.loads(value)
    text = read if isinstance(read, str) else value
    text = text.rpartition(".")[2] if key.endswith("_target_") else text
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."
