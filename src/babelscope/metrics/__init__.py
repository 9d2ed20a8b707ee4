"""Layer metrics: pure functions of one layer's pooled states."""

from babelscope.metrics.ilo import ilo, mixing_null
from babelscope.metrics.knn_lid import knn_lid
from babelscope.metrics.neighbours import nearest_neighbours
from babelscope.metrics.sample import LayerMetric, LayerSample
from babelscope.metrics.score import score
from babelscope.metrics.scripts import script_separability
from babelscope.metrics.separability import separability

__all__ = [
    "LayerMetric",
    "LayerSample",
    "ilo",
    "knn_lid",
    "mixing_null",
    "nearest_neighbours",
    "score",
    "script_separability",
    "separability",
]
