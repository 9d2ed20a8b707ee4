"""Parallel text: corpora, batches, and what a model is trained on."""

from babelscope.data.batches import Batch, batches, token_fingerprint
from babelscope.data.corpora import Corpus
from babelscope.data.writing import script_of

__all__ = ["Batch", "Corpus", "batches", "script_of", "token_fingerprint"]
