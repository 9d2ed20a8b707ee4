"""The measures that the page of neurons follows over checkpoints and models, and a reader's choice among them."""

from collections.abc import Sequence

from babelscope.report.neurons.summary import criteria_of
from babelscope.report.panels import Choice
from babelscope.report.table import THIRDS, Run
from babelscope.report.words import words_of


def measures(runs: Sequence[Run]) -> list[str]:
    """List what is followed: SADS, LRDS, and the regions' sizes and places."""
    criteria = list(dict.fromkeys(name for run in runs for name in criteria_of(run)))
    shares = [f"{name}_share_{third}" for name in criteria for third in THIRDS]
    return ["sads", "lrds", *(f"{name}_neurons" for name in criteria), *shares]


def measure_choice(metrics: Sequence[str]) -> Choice:
    """Let a reader choose among measures, each with how to read it."""
    words = [words_of(metric) for metric in metrics]
    return Choice("Measure", [word.name for word in words], notes=[word.reading for word in words])
