"""Which runs may be read against each other: scores depend on how many languages and sentences they are of, and how."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from babelscope.report.runs import labels, scores_of, source_of, task_of
from babelscope.report.summary import at_last_step, score_of
from babelscope.report.table import Run

NO_MATTER = ("search", "seed", "strict")
"""Arguments of a metric that leave its values alone, or only draw them anew."""
LANGUAGES = "which languages"
MOST = 3
"""More names than this are counted."""


def differing(runs: Sequence[Run]) -> dict[str, dict[str, list[int]]]:
    """Group runs by what makes their scores comparable, wherever that differs: condition, value, places of the runs.

    What a run does not say is no difference, and a run without scores of layers has none.
    """
    found: dict[str, dict[str, list[int]]] = {}
    for place, conditions in enumerate(map(_conditions, runs)):
        for name, value in conditions.items():
            found.setdefault(name, {}).setdefault(value, []).append(place)
    found = {name: values for name, values in found.items() if len(values) > 1}
    if "languages" in found:  # that other ones are among them goes without saying
        found.pop(LANGUAGES, None)
    return found


def comparable_pairs(runs: Sequence[Run]) -> list[tuple[int, int]]:
    """Pair every run with the first before it that it is comparable with: places of both."""
    bases: dict[int, int] = {}
    for base, place in combinations(range(len(runs)), 2):
        if place not in bases and not differing([runs[base], runs[place]]):
            bases[place] = base
    return sorted(bases.items())


def say_differing(runs: Sequence[Run]) -> str:
    """Say why runs are not comparable; "" where they are."""
    found, names = differing(runs), labels(runs)
    if not found:
        return ""
    said = "; ".join(f"{name} ({_say(of, names)})" for name, of in found.items())
    return f"These runs are not comparable, as scores depend on what they differ in: {said}."


def say_alone(runs: Sequence[Run]) -> str:
    """Name the runs that are comparable with none of the others; "" without any."""
    pairs = comparable_pairs(runs)
    alone = [name for place, name in enumerate(labels(runs)) if not any(place in pair for pair in pairs)]
    return f"No difference to another run is shown for {shorten(alone)}." if alone and len(runs) > 1 else ""


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


def _say(of: Mapping[str, Sequence[int]], names: Sequence[str]) -> str:
    """Say every value and who has it; of lists only what is not in all of them."""
    lists = [value.split(", ") for value in of]
    shared = set.intersection(*map(set, lists))
    own = ["+".join([item for item in items if item not in shared][:MOST]) or "no others" for items in lists]
    return ", ".join(
        f"{value} in {shorten([names[place] for place in places])}"
        for value, places in zip(own, of.values(), strict=True)
    )


def _conditions(run: Run) -> dict[str, str]:
    """Say what the scores of a run's layers depend on beside the model, as far as the run says it."""
    if not (scores_of(run.rows)["layer"] != "").any():
        return {}
    corpus, found = run.manifest.get("corpus") or {}, {}
    if languages := corpus.get("languages"):
        found["languages"] = str(languages if isinstance(languages, int) else len(languages))
        if not isinstance(languages, int):
            found[LANGUAGES] = ", ".join(sorted(languages))
    if corpus.get("sentences"):
        found["sentences per language"] = str(corpus["sentences"])
    metrics: Any = run.config.get("metrics")
    for name, arguments in metrics.items() if isinstance(metrics, Mapping) else ():
        given = arguments.items() if isinstance(arguments, Mapping) else ()
        found |= {
            f"{name}.{key}": str(value) for key, value in given if not str(key).startswith("_") and key not in NO_MATTER
        }
    return found
