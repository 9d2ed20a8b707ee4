"""Models: what families look like inside, and how a checkpoint is loaded, adapted and frozen."""

from babelscope.models.adapters import lora
from babelscope.models.families import FAMILIES, Family
from babelscope.models.fingerprint import weights_fingerprint
from babelscope.models.freeze import freeze
from babelscope.models.load import Loaded, load
from babelscope.models.parts import Parts, parts_of
from babelscope.models.policies import FreezePolicy, early, embeddings, last
from babelscope.models.trainable import TrainableMap, trainable_map

__all__ = [
    "FAMILIES",
    "Family",
    "FreezePolicy",
    "Loaded",
    "Parts",
    "TrainableMap",
    "early",
    "embeddings",
    "freeze",
    "last",
    "load",
    "lora",
    "parts_of",
    "trainable_map",
    "weights_fingerprint",
]
