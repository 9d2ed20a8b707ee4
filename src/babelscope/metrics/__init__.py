"""Layer metrics: pure functions of one layer's pooled states."""

from babelscope.metrics.cka import cka
from babelscope.metrics.drift import drift, needs_start
from babelscope.metrics.ilo import ilo, mixing_null
from babelscope.metrics.isotropy import isotropy
from babelscope.metrics.knn_lid import knn_lid
from babelscope.metrics.language_subspace import language_subspace
from babelscope.metrics.lrds import lrds
from babelscope.metrics.mexa import mexa
from babelscope.metrics.mutual_knn import mutual_knn
from babelscope.metrics.neighbours import nearest_neighbours
from babelscope.metrics.retrieval import retrieval
from babelscope.metrics.sads import sads
from babelscope.metrics.sample import LayerMetric, LayerSample
from babelscope.metrics.score import score
from babelscope.metrics.script_separability import script_separability
from babelscope.metrics.separability import separability

__all__ = [
    "LayerMetric",
    "LayerSample",
    "cka",
    "drift",
    "ilo",
    "isotropy",
    "knn_lid",
    "language_subspace",
    "lrds",
    "mexa",
    "mixing_null",
    "mutual_knn",
    "nearest_neighbours",
    "needs_start",
    "retrieval",
    "sads",
    "score",
    "script_separability",
    "separability",
]
