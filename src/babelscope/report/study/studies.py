"""Studies: the runs of one model on one task, trained and measured in one way, and what is missing of them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pandas as pd

from babelscope.report.bidi import isolate
from babelscope.report.last_steps import say_last
from babelscope.report.study.directions import PRIMARY, is_headline, lower_is_better
from babelscope.report.study.replicates import Replicate, sort_seeds, sort_settings
from babelscope.report.study.variants import Cell, name_variants
from babelscope.report.words import layer_metrics


@dataclass(frozen=True)
class Study:
    """All runs of one model on one task, trained and measured in one way."""

    model: str
    task: str
    score: str
    """What the task is scored by, such as "accuracy"."""
    runs: list[Replicate]
    """Finished runs: those that count."""
    left_out: list[Replicate]
    """Unfinished runs."""
    variant: str = ""
    """The way, where runs of one setting were trained or measured in several, such as "pool=published"."""

    @property
    def name(self) -> str:
        """What tells it from other studies of its model."""
        return ", ".join(filter(None, [self.task, self.variant]))

    @cached_property
    def settings(self) -> list[str]:
        """Settings in the order in which they are shown."""
        return sort_settings([run.setting for run in self.runs])

    @cached_property
    def sources(self) -> list[str]:
        """Languages that were fine-tuned on."""
        return sorted({run.source for run in self.runs})

    @cached_property
    def seeds(self) -> list[str]:
        """Seeds, numbers by size."""
        return sort_seeds(run.seed for run in self.runs)

    @cached_property
    def metrics(self) -> list[str]:
        """Scores of layers, those that speak for the study first."""
        found = layer_metrics(
            pd.concat([run.layers.drop_duplicates("metric") for run in self.runs]).assign(language="", other="")
        )
        return sorted(found, key=lambda name: PRIMARY.index(name) if name in PRIMARY else len(PRIMARY))


def studies_of(runs: Sequence[Replicate]) -> list[Study]:
    """Sort runs into studies by model and task, and by what else differs between runs of one setting.

    Runs without a task, and studies without a finished run, are none.
    """
    groups: dict[tuple[str, str, str], list[Replicate]] = {}
    tuned = sorted(
        (run for run in runs if run.task),
        key=lambda run: (run.model, run.task, run.source, run.setting, run.seed, str(run.folder)),
    )
    cells = [Cell(run.model, run.task, run.source, run.setting) for run in tuned]
    names = name_variants(cells, [run.conditions for run in tuned])
    for run, (setting, variant) in zip(tuned, names, strict=True):
        groups.setdefault((run.model, run.task, variant), []).append(replace(run, setting=setting))
    found = []
    for (model, task, variant), group in groups.items():
        done = [run for run in group if run.finished]
        if done:
            unfinished = [run for run in group if not run.finished]
            found.append(Study(model, task, done[0].score, done, unfinished, variant))
    return sorted(found, key=lambda study: (study.model, lower_is_better(study.score), study.task, study.variant))


def tested_languages(study: Study) -> tuple[list[str], list[str]]:
    """List the languages that all runs tested, and those that only some did; a run's own source language is no test.

    Runs that tested no other language are left out of the comparison.
    """
    tests = [(set(run.tests.index), run.source) for run in study.runs]
    shared = shared_languages(tests)
    tested = {name for found, source in tests if found - {source} for name in (*found, source)}
    return sorted(shared), sorted(tested - shared)


def shared_languages(tests: Sequence[tuple[set[str], str]]) -> set[str]:
    """Find the languages that all runs tested or were trained on; runs that tested no other language do not count.

    Args:
        tests: of each run the tested languages, and its own.
    """
    known = [found | {source} for found, source in tests if found - {source}]
    return set.intersection(*known) if known else set()


def missing_units(study: Study) -> pd.DataFrame:
    """List what would make the sweep complete but has no finished run: setting, source, seed."""
    done = {(run.setting, run.source, run.seed) for run in study.runs}
    runs = [*study.runs, *study.left_out]
    wanted = [
        (setting, source, seed)
        for setting in sort_settings([run.setting for run in runs])
        for source in sorted({run.source for run in runs})
        for seed in sort_seeds(run.seed for run in runs)
    ]
    return pd.DataFrame([unit for unit in wanted if unit not in done], columns=["setting", "source", "seed"])


def say_ends(study: Study) -> str:
    """Name the runs whose scores of layers do not reach the end of their training, or that of their replicates."""
    return say_last([(run.folder.name, (run.setting, run.source), run.last) for run in study.runs])


def repeated_units(study: Study) -> list[tuple[str, str, str]]:
    """List units that have several finished runs: setting, source, seed."""
    units = pd.Series([(run.setting, run.source, run.seed) for run in study.runs])
    return list(units[units.duplicated()].unique())


def directed_metrics(study: Study) -> list[str]:
    """Select the scores for which up or down is better; halves of other scores are left to the curves."""
    return [name for name in study.metrics if is_headline(name)]


def primary_scores(study: Study) -> list[str]:
    """Select the scores by which the claims are measured, the one that speaks for the study first."""
    return [name for name in PRIMARY if name in study.metrics] or directed_metrics(study)[:1]


def units_of(study: Study) -> str:
    """Name the units of intervals: seeds, and the source languages where there are several."""
    return f"seeds{sources_words(study)}"


def sources_words(study: Study) -> str:
    """Say for which source languages numbers hold; "" for a single one."""
    return f", for these source languages: {', '.join(map(isolate, study.sources))}" if len(study.sources) > 1 else ""
