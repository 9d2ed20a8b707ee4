"""Small checkpoints from parallel text."""

from babelscope.training.pretraining.pretrain import pretrain
from babelscope.training.pretraining.recipe import Recipe

__all__ = ["Recipe", "pretrain"]
