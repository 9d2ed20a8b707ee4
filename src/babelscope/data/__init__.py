"""Parallel text: corpora, batches, and what a model is trained on."""

from babelscope.data.batches import Batch, batches, token_fingerprint
from babelscope.data.corpora import Corpus
from babelscope.data.labelled import Examples, LabelledCorpus
from babelscope.data.labelled_tables import labelled_table
from babelscope.data.loaders import flores, lines, sib200
from babelscope.data.parallel_table import table
from babelscope.data.tagged_files import tagged

__all__ = [
    "Batch",
    "Corpus",
    "Examples",
    "LabelledCorpus",
    "batches",
    "flores",
    "labelled_table",
    "lines",
    "sib200",
    "table",
    "tagged",
    "token_fingerprint",
]
