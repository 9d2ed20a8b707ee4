"""Which runs may be read against each other: scores depend on how many languages and sentences they are of, and how."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from typing import Any

from babelscope.report.config_keys import SEARCH
from babelscope.report.runs import labels, scores_of, source_of, task_of
from babelscope.report.summary import at_last_step, score_of
from babelscope.report.table import Run

NO_MATTER = (*SEARCH, "seed")
"""Arguments of a metric that leave its values alone, or only draw them anew."""
LANGUAGES = "which languages"
MOST = 3
"""More names than this are counted."""


def differing(runs: Sequence[Run], metrics: Iterable[str] | None = None) -> dict[str, dict[str, list[int]]]:
    """Group runs by what makes their scores comparable, wherever that differs: condition, value, places of the runs.

    What a run does not say is no difference, and a run without scores of layers has none.

    Args:
        runs: To be read against each other.
        metrics: Columns that are; arguments of other metrics do not matter to them. None: all.
    """
    found: dict[str, list[tuple[Any, list[int]]]] = {}
    wanted = None if metrics is None else list(metrics)
    for place, conditions in enumerate(map(_conditions, runs)):
        for name, value in conditions.items():
            if _matters(name, wanted):
                groups = found.setdefault(name, [])
                of = next((places for other, places in groups if other == value), None)
                if of is None:
                    groups.append((value, [place]))
                else:
                    of.append(place)
    apart = {name: groups for name, groups in found.items() if len(groups) > 1}
    if "languages" in apart:  # that other ones are among them goes without saying
        apart.pop(LANGUAGES, None)
    return {name: dict(_named(name, groups)) for name, groups in apart.items()}


def comparable_pairs(runs: Sequence[Run], metric: str | None = None) -> list[tuple[int, int]]:
    """Pair every run with the first before it that it is comparable with, by one metric or by all: places of both.

    Layers are subtracted by their number, so only models of one depth are paired.
    """
    bases: dict[int, int] = {}
    for base, place in combinations(range(len(runs)), 2):
        pair = [runs[base], runs[place]]
        if place not in bases and not _depths(pair) and not differing(pair, None if metric is None else [metric]):
            bases[place] = base
    return sorted(bases.items())


def say_differing(runs: Sequence[Run], metrics: Iterable[str] | None = None) -> str:
    """Say in what runs are not comparable; "" where they are."""
    found, names = differing(runs, metrics), labels(runs)
    if not found:
        return ""
    return f"Layer scores are not comparable between these runs where they depend on: {say_groups(found, names)}."


def say_groups(found: Mapping[str, Mapping[str, Sequence[int]]], names: Sequence[str]) -> str:
    """Say of each condition which runs have which value: runs by their places in `names`."""
    return "; ".join(
        f"{name} ({', '.join(f'{value} in {shorten([names[place] for place in of])}' for value, of in groups.items())})"
        for name, groups in found.items()
    )


def say_depths(runs: Sequence[Run]) -> str:
    """Say which models have other depths; "" where all have the same."""
    found, names = _depths(runs), labels(runs)
    said = "; ".join(
        f"up to layer {depth - 1} in {shorten([names[place] for place in of])}" for depth, of in found.items()
    )
    return f"Models of different depths are not subtracted layer by layer: {said}." if found else ""


def say_alone(runs: Sequence[Run], metrics: Iterable[str | None] = (None,)) -> str:
    """Name the runs that are comparable with none of the others by any of the metrics; "" without any."""
    pairs = {pair for metric in metrics for pair in comparable_pairs(runs, metric)}
    alone = [name for place, name in enumerate(labels(runs)) if not any(place in pair for pair in pairs)]
    return f"No difference to another run is shown for {shorten(alone)}." if alone and len(runs) > 1 else ""


def _depths(runs: Sequence[Run]) -> dict[int, list[int]]:
    """Group runs with scores of layers by the number of their model's layers, without `final`; {} for one number."""
    found: dict[int, list[int]] = {}
    for place, run in enumerate(runs):
        depth = sum(str(layer).isdecimal() for layer in run.manifest.get("layers") or ())
        if depth and _measures_layers(run):
            found.setdefault(depth, []).append(place)
    return found if len(found) > 1 else {}


def tested_as(run: Run, name: str) -> tuple[str, str, str]:
    """Tell runs apart whose "zero_shot" or "test" scores are not to be ranked: task, score and languages."""
    score = score_of(run.rows)
    return task_of(run), score, source_of(run) if name == "test" else ", ".join(targets_of(run))


def targets_of(run: Run) -> list[str]:
    """List the languages that the zero-shot mean is over: all that were tested but the source."""
    tested = at_last_step(run.rows, f"test_{score_of(run.rows)}").dropna()
    return sorted(set(tested.index) - {source_of(run)})


def shorten(names: Sequence[str]) -> str:
    """Name a few, which may have commas of their own, and count the rest."""
    return "; ".join(names[:MOST]) + (f" and {len(names) - MOST} more" if len(names) > MOST else "")


def _matters(condition: str, metrics: Sequence[str] | None) -> bool:
    """Whether one of some columns hangs on a condition: on an argument only of the metric whose name it begins with."""
    of, dot, _ = condition.partition(".")
    return metrics is None or not dot or any(f"{metric}_".startswith(f"{of}_") for metric in metrics)


def _named(name: str, groups: Sequence[tuple[Any, list[int]]]) -> Iterator[tuple[str, list[int]]]:
    """Name the values; of lists of languages only what is not in all of them."""
    shared = set.intersection(*(set(value) for value, _ in groups)) if name == LANGUAGES else set()
    for value, places in groups:
        own = "+".join([code for code in value if code not in shared][:MOST]) if name == LANGUAGES else str(value)
        yield own or "no others", places


def _conditions(run: Run) -> dict[str, Any]:
    """Say what the scores of a run's layers depend on beside the model, as far as the run says it."""
    if not _measures_layers(run):
        return {}
    corpus: Any = run.manifest.get("corpus") or {}
    found: dict[str, Any] = {"pool": run.manifest["pool"]} if run.manifest.get("pool") else {}
    if languages := corpus.get("languages"):
        found["languages"] = languages if isinstance(languages, int) else len(languages)
        if not isinstance(languages, int):
            found[LANGUAGES] = sorted(languages)
    if corpus.get("sentences"):
        found["sentences per language"] = corpus["sentences"]
    metrics: Any = run.config.get("metrics")
    for name, arguments in metrics.items() if isinstance(metrics, Mapping) else ():
        given = arguments.items() if isinstance(arguments, Mapping) else ()
        found |= {
            f"{name}.{key}": value for key, value in given if not str(key).startswith("_") and key not in NO_MATTER
        }
    return found


def _measures_layers(run: Run) -> bool:
    return bool((scores_of(run.rows)["layer"] != "").any())
