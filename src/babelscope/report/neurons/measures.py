"""The measures that the page of neurons follows over checkpoints and models."""

from collections.abc import Sequence

from babelscope.report.neurons.summary import criteria_of
from babelscope.report.table import THIRDS, Run


def measures(runs: Sequence[Run]) -> list[str]:
    """List what is followed: SADS, LRDS, and the regions' sizes and places."""
    criteria = list(dict.fromkeys(name for run in runs for name in criteria_of(run)))
    shares = [f"{name}_share_{third}" for name in criteria for third in THIRDS]
    return ["sads", "lrds", *(f"{name}_neurons" for name in criteria), *shares]
